"""What a request says about fields becomes what is stored; what can't be is refused by name."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.errors import RestError
from local.portal.php import entries
from local.portal.portal import Portal
from local.portal.shape import Field, Shape
from local.portal.table import Row

_TRUE = {"y", "1", "true"}
_INTEGERS = {"integer", "int", "user", "crm_category", "location"}
_CODES = {"crm_status", "crm_currency"}
# Read-only in crm.deal.fields, yet set by the request on the page of crm.item.add
_WRITABLE_IN_ITEMS = {"leadId", "quoteId"}
_MAX_INTEGER = 2**63


class InvalidValueError(ValueError):
    """A value that its field can't hold."""


def read_fields(portal: Portal, entity: Shape, given: Any, names: str) -> tuple[Row, Any]:
    """Values to store and the rows of multi-fields; unknown fields are ignored silently.

    `names` says how fields are called: "classic", "item" or "original" (useOriginalUfNames=Y).
    """
    values: Row = {}
    multi: list[tuple[str, Any]] = []
    for name, value in entries(given):
        if names == "item" and name == "fm":
            multi += [(key, dict(row)) for key, row in entries(value) if isinstance(row, dict)]
        elif names == "classic" and (field := entity.classic.get(name.upper())) is not None:
            if field.type == "crm_multifield":
                multi += [
                    (key, {"typeId": field.name} | _camel_row(row))
                    for key, row in entries(value)
                    if isinstance(row, dict)
                ]
            elif field.key:
                _take(portal, field, value, values)
        elif names != "classic":
            found = entity.find(name, original=names == "original")
            if found is not None:
                _take(portal, found, value, values, found.key in _WRITABLE_IN_ITEMS)
    if "contactIds" in values and "contactId" in entity.fields:
        values["contactId"] = values["contactIds"][0] if values["contactIds"] else 0
    elif "contactId" in values and "contactIds" in entity.fields:
        values["contactIds"] = [values["contactId"]] if values["contactId"] else []
    return values, multi


def _camel_row(row: Row) -> Row:
    names = {"ID": "id", "VALUE": "value", "VALUE_TYPE": "valueType", "DELETE": "delete"}
    return {names[key.upper()]: value for key, value in row.items() if key.upper() in names}


def _take(portal: Portal, field: Field, value: Any, values: Row, allowed: bool = False) -> None:
    if field.readonly and not allowed:
        return
    if not field.multiple:
        values[field.key] = read_value(portal, field, value)
        return
    if not isinstance(value, list | dict):
        kind = {str: "string", int: "integer", bool: "boolean", float: "double"}.get(type(value))
        raise RestError(
            "100", f"Expected iterable value for multiple field, but got {kind or 'null'} instead"
        )
    rows = [read_value(portal, field, entry) for _, entry in entries(value)]
    values[field.key] = [row for row in rows if row not in (None, "")]


def read_value(portal: Portal, field: Field, value: Any) -> Any:
    """One value of a field's type, or the error that crm.item.* answers with."""
    try:
        return convert(portal, field, value)
    except (ValueError, TypeError, OverflowError):
        raise RestError(
            "CRM_FIELD_ERROR_VALUE_NOT_VALID", f'Invalid value for field "{field.name}"'
        ) from None


def convert(portal: Portal, field: Field, value: Any, shift_hours: float = 0.0) -> Any:
    """One value of a field's type; ValueError where it isn't one."""
    kind = field.type
    if kind in _MADE:
        return _MADE[kind](portal, value)
    if isinstance(value, list | dict):
        raise InvalidValueError("an array")
    if kind == "bool":
        return str(value).lower() in _TRUE
    read: Any = str
    if kind in _INTEGERS or (kind.startswith("crm_") and kind not in _CODES):
        read = _integer
    elif kind in {"double", "money"}:
        read = _number
    elif kind in {"char", "boolean"}:
        return "Y" if str(value).lower() in _TRUE else "N"
    elif kind in {"date", "datetime"}:
        date_only = kind == "date"
        read = partial(portal.clock.parse, shift_hours=shift_hours, date_only=date_only)
    if value is None or (value == "" and read is not str):
        return _nothing(field)
    return read(value)


def _picture(portal: Portal, value: Any) -> Row | None:
    number = _file(portal, value)
    address = f"/rest/catalog.product.download?fileId={number}"
    return {"id": str(number), "url": address, "urlMachine": address} if number else None


def _image(portal: Portal, value: Any) -> Row | None:
    number = _file(portal, value)
    return {"id": number, "url": f"/upload/iblock/{number}"} if number else None


def _property(portal: Portal, value: Any) -> Any:
    """The value of a product's property, which has a number of its own."""
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, list) or value in {None, ""}:
        return value
    return {"value": str(value), "valueId": str(portal.next_multi_field_id())}


def _as_it_is(_portal: Portal, value: Any) -> Any:
    return value


def _nothing(field: Field) -> Any:
    links = field.type in {"crm_company", "crm_contact", "double", "crm_category"}
    return 0 if links and not field.name.startswith("UF_") else None


def _integer(value: Any) -> int:
    number = int(float(value)) if isinstance(value, float | bool) else int(str(value).strip())
    if abs(number) >= _MAX_INTEGER:
        raise InvalidValueError("out of range")
    return number


def _number(value: Any) -> float | int:
    number = float(value)
    if not math.isfinite(number):
        raise InvalidValueError("not finite")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _file(portal: Portal, value: Any) -> int | None:
    """`[name, base64]` or `{"fileData": [name, base64]}` uploads, `{"id": n}` keeps."""
    if isinstance(value, dict) and "fileData" in value:
        value = value["fileData"]
    if isinstance(value, dict):
        number = value.get("id")
        return None if number is None else _integer(number)
    if isinstance(value, list) and len(value) >= 2:  # noqa: PLR2004  name and content
        return portal.add_file(str(value[0]), str(value[1]))
    return _integer(value) if isinstance(value, int) and value else None


_MADE: dict[str, Callable[[Portal, Any], Any]] = {
    "object": _as_it_is,
    "array": _as_it_is,
    "any": _as_it_is,
    "attached_diskfile": _as_it_is,
    "file": _file,
    "picture": _picture,
    "image": _image,
    "property": _property,
}
