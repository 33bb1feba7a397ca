"""Fields of universal lists [api-reference/lists/fields/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.methods.lists import list_of
from local.portal.php import entries
from local.portal.rows import hook, show, table_of
from local.portal.table import Row

_FIELD = FAMILIES["lists.field"]
_TYPES = {"S": "Text", "N": "Number", "L": "List", "F": "File", "G": "Section", "E": "Element"}
_TYPES |= {"S:Date": "Date", "S:DateTime": "Date and time", "S:HTML": "Text with marks"}
_TYPES |= {
    "S:Money": "Money",
    "S:employee": "Employee",
    "S:ECrm": "CRM item",
    "N:Sequence": "Counter",
}
_TYPES |= {"S:DiskFile": "File of the disk", "E:EList": "Element of a list"}
_SYSTEM = (
    *("SORT", "ACTIVE_FROM", "ACTIVE_TO", "PREVIEW_PICTURE", "PREVIEW_TEXT", "DETAIL_PICTURE"),
    *("DETAIL_TEXT", "CREATED_BY", "TIMESTAMP_X", "MODIFIED_BY"),
)


@hook("lists.field", "check")
def check_field(call: Call, values: Row, old: Row | None) -> None:
    """Name a field, and number the values of a list."""
    if old is None:
        kind = str(values["TYPE"])
        same = {"IBLOCK_ID": values["IBLOCK_ID"], "CODE": values.get("CODE")}
        if kind in _SYSTEM:
            values["FIELD_ID"] = kind
        elif not values.get("CODE"):
            raise RestError("ERROR_SAVE_FIELD", "Please fill the code fields")
        elif any(same.items() <= row.items() for row in call.portal.tables["lists.field"].walk()):
            raise RestError("ERROR_SAVE_FIELD", "Property already exists")
        else:
            values["FIELD_ID"] = f"PROPERTY_{call.portal.tables['lists.field'].last_id + 1}"
        plain, _, special = kind.partition(":")
        values |= {"PROPERTY_TYPE": plain, "PROPERTY_USER_TYPE": special or False}
    names = [str(dict(entries(one)).get("VALUE", "")) for _, one in entries(values.get("LIST"))]
    names += str(values.get("LIST_TEXT_VALUES") or "").split()
    if names:
        numbers = [str(call.portal.next_multi_field_id()) for _ in names]
        values["DISPLAY_VALUES_FORM"] = dict(zip(numbers, names, strict=True))


@method("lists.field.get", "lists")
def field_get(call: Call) -> Any:
    """Fields of a list by their names, or one of them by its type."""
    table, wanted = table_of(call, _FIELD), call.get("field_id")
    rows = [row for row in table.walk() if row["IBLOCK_ID"] == call.number("iblock_id")]
    if wanted is not None:
        return {r["TYPE"]: show(_FIELD, r) for r in rows if r["FIELD_ID"] == str(wanted)} or []
    name = {"FIELD_ID": "NAME", "SORT": 10, "NAME": "Name", "IS_REQUIRED": "Y", "MULTIPLE": "N"}
    name |= {"DEFAULT_VALUE": "", "TYPE": "NAME"}
    return {"NAME": name} | {row["FIELD_ID"]: show(_FIELD, row) for row in rows}


@method("lists.field.type.get", "lists")
def field_types(call: Call) -> Any:
    """Types that a field of a list may have."""
    list_of(call)
    return {name: name.replace("_", " ").capitalize() for name in _SYSTEM} | _TYPES
