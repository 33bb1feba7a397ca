"""Smart processes themselves: `crm.type.*` [crm/universal/user-defined-object-types/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.engine import wrapped
from local.portal.errors import RestError, invalid_argument
from local.portal.family import FAMILIES
from local.portal.family_list import allow
from local.portal.php import entries, int_or_none
from local.portal.rows import hook, table_of
from local.portal.static import enum_of
from local.portal.table import Row

_FAMILY = FAMILIES["crm.type"]
_LOWEST, _LOW_END, _HIGH = 128, 192, 1030  # entityTypeId: 128-192 and even numbers from 1030


def _new_number(call: Call, given: int | None) -> int:
    taken = call.portal.types
    if given is None:
        number = max(_HIGH, *(one + 2 for one in taken))
        return number + number % 2
    allowed = _LOWEST <= given <= _LOW_END or (given >= _HIGH and given % 2 == 0)
    if not allowed or given in taken:
        raise invalid_argument("entityTypeId is out of allowed range")
    return given


def _relation(row: Any) -> Row:
    row = dict(entries(row))
    number = int_or_none(row.get("entityTypeId")) or 0
    listed = {"isChildrenListEnabled": _flag(row.get("isChildrenListEnabled"))}
    return {"entityTypeId": number, **listed, "isPredefined": "N"}


def _flag(value: Any) -> str:
    return "Y" if str(value).lower() in {"y", "1", "true"} else "N"


@hook("crm.type", "check")
def check_type(call: Call, values: Row, old: Row | None) -> None:
    """Number and name a new smart process; read its relations and what it is linked with."""
    fields = dict(entries(call.get("fields")))
    sections, place = fields.get("customSections"), fields.get("customSectionId")
    nowhere = sections is not None and not entries(sections) and place == 0
    if nowhere or (_flag(fields.get("isExternal")) == "Y" and not place):
        raise RestError("0", "Select a workplace where the SPA will be located")
    values["customSectionId"] = None
    for name in [name for name in ("title", "code") if not values.get(name)]:
        values.pop(name, None)
    if old is None:
        number = _new_number(call, values.get("entityTypeId"))
        values["entityTypeId"] = number
        values.setdefault("title", f"Smart process {number}")
    for name in ("relations", "linkedUserFields"):
        if not isinstance(values.get(name, {}), dict):
            del values[name]
    for side, rows in values.get("relations", {}).items():
        values["relations"][side] = [_relation(row) for _, row in entries(rows)]
    for name, value in values.get("linkedUserFields", {}).items():
        values["linkedUserFields"][name] = _flag(value)


@hook("crm.type", "add")
def added_type(call: Call, row: Row) -> None:
    """Make room for its items; they have one funnel, and links to their parents."""
    entity = call.portal.add_type(row["entityTypeId"], row["title"], row)
    for relation in row["relations"]["parent"]:
        entity.add_parent(relation["entityTypeId"])


@hook("crm.type", "update")
def updated_type(call: Call, row: Row) -> None:
    """Items are called as their smart process is."""
    entity = call.portal.types[row["entityTypeId"]]
    entity.info, entity.title = row, row["title"]


@hook("crm.type", "deleting")
def deleting_type(call: Call, row: Row) -> None:
    """A smart process that has items stays."""
    if len(call.portal.items[row["entityTypeId"]]):
        raise RestError("BX_ERROR", "You cannot delete an entity type that has elements")


@hook("crm.type", "delete")
def deleted_type(call: Call, row: Row) -> None:
    """Take its items' table and its funnels away."""
    portal, number = call.portal, row["entityTypeId"]
    del portal.types[number], portal.items[number]
    portal.directories.categories.pop(number, None)


@method("crm.enum.ownertype", "crm")
def owner_types(call: Call) -> Any:
    """What can own something, smart processes among it; anybody may list these."""
    return enum_of("crm.enum.ownertype") + [
        {
            "ID": number,
            "NAME": entity.title,
            "SYMBOL_CODE": f"DYNAMIC_{number}",
            "SYMBOL_CODE_SHORT": f"T{number:x}",
        }
        for number, entity in call.portal.types.items()
        if number >= _LOWEST
    ]


@method("crm.type.getByEntityTypeId", "crm")
def get_by_entity_type(call: Call) -> Any:
    """A smart process by the number that items carry."""
    allow(call, _FAMILY, "get")
    rows, number = table_of(call, _FAMILY).walk(), call.number("entitytypeid")
    row = next((row for row in rows if row.get("entityTypeId") == number), None)
    if row is None:
        raise RestError(0, "Smart process not found")  # the number, as on the page
    return wrapped(_FAMILY, row)
