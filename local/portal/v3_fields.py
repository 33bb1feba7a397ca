"""`*.field.list` and `*.field.get` of REST 3.0: what a kind of record has [rest-v3.md]."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from local.portal.table import Row
from local.portal.v3_errors import V3Error, missing, unknown_field, wrong_type
from local.portal.v3_query import read_select

if TYPE_CHECKING:
    from local.portal.v3_tasks import V3Call

_NO_FIELD = "BITRIX_REST_V3_REALISATION_EXCEPTION_FIELDNOTFOUNDEXCEPTION"
_BLANK: Row = {"name": "", "type": "", "title": "", "description": None, "validationRules": []}
_BLANK |= {"requiredGroups": None, "filterable": False, "sortable": False, "editable": False}
_BLANK |= {"multiple": False, "elementType": None}
_FLAGS = {"f": "filterable", "s": "sortable", "e": "editable"}


def _described(line: str) -> Row:
    name, kind, *flags = line.split()
    words = {_FLAGS[flag]: True for flag in "".join(flags) if flag in _FLAGS}
    return _BLANK | {"name": name, "type": kind, "title": name} | words


def _selected(call: "V3Call") -> Callable[[Row], Row]:
    """Cut a description down to what the request selects."""
    select = read_select(call.params)
    for name in select or ():
        if name not in _BLANK:
            raise unknown_field(name, "DtoFieldDto")
    return lambda row: {name: row[name] for name in select or row}


def field_methods(
    record: str, lines: Iterable[str], allow: Callable[["V3Call"], Any] = lambda call: call.allow()
) -> dict[str, Callable[["V3Call"], Any]]:
    """The two methods of a kind of record; a line is a name, a type, and flags of `_FLAGS`."""
    rows = {row["name"]: row for row in map(_described, lines)}

    def list_fields(call: "V3Call") -> Any:
        allow(call)
        return {"items": list(map(_selected(call), rows.values()))}

    def get_field(call: "V3Call") -> Any:
        allow(call)
        name = call.params.get("name")
        if name is None:
            raise missing("name")
        if not isinstance(name, str):
            raise wrong_type("name", "string")
        if name not in rows:
            raise V3Error(_NO_FIELD, f"Field `{name}` not found")
        return {"item": _selected(call)(rows[name])}

    return {f"{record}.field.list": list_fields, f"{record}.field.get": get_field}
