"""Fields of universal lists [api-reference/lists/fields/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.php import entries
from local.portal.rows import hook, show, table_of
from local.portal.table import Row

_FIELD = FAMILIES["lists.field"]


@hook("lists.field", "check")
def check_field(call: Call, values: Row, old: Row | None) -> None:
    """Name a field, and number the values of a list."""
    if old is None:
        kind = str(values["TYPE"])
        same = {"IBLOCK_ID": values["IBLOCK_ID"], "CODE": values.get("CODE")}
        if len(kind.partition(":")[0]) > 1:  # a field of the system
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
