"""Smart processes themselves: `crm.type.*` [crm/universal/user-defined-object-types/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, invalid_argument, missing
from local.portal.family import FAMILIES
from local.portal.php import entries
from local.portal.schema import EntityType
from local.portal.table import Row

_FLAGS = [f.name for f in FAMILIES["crm.type"].fields.values() if f.type == "boolean"]
_USER_FIELD_LINKS = (
    "CALENDAR_EVENT|UF_CRM_CAL_EVENT",
    "TASKS_TASK|UF_CRM_TASK",
    "TASKS_TASK_TEMPLATE|UF_CRM_TASK",
)
_LOWEST, _LOW_END, _HIGH = 128, 192, 1030  # entityTypeId: 128-192 and even numbers from 1030
_PLACE_REQUIRED = "Select a workplace where the SPA will be located"


@method("crm.type.add", "crm")
def add(call: Call) -> Any:
    """Make a smart process, with one funnel."""
    fields = dict(entries(call.get("fields")))
    number = fields.get("entityTypeId")
    taken = call.portal.types
    if number is None:
        number = max(_HIGH, *(one + 2 for one in taken))
        number += number % 2
    elif not str(number).isdigit() or not _allowed(int(number)) or int(number) in taken:
        raise invalid_argument("entityTypeId is out of allowed range")
    sections = fields.get("customSections")
    nowhere = sections is not None and not entries(sections) and fields.get("customSectionId") == 0
    if nowhere or (_flag(fields.get("isExternal")) == "Y" and not fields.get("customSectionId")):
        raise RestError("0", _PLACE_REQUIRED)
    return {"type": _make(call, int(number), fields)}


def _allowed(number: int) -> bool:
    return _LOWEST <= number <= _LOW_END or (number >= _HIGH and number % 2 == 0)


def _make(call: Call, number: int, fields: Row) -> Row:
    portal = call.portal
    info: Row = {
        "id": 1 + max((t.info.get("id", 0) for t in portal.types.values()), default=0),
        "title": str(fields.get("title") or f"Smart process {number}"),
        "code": str(fields.get("code") or ""),
        "createdBy": call.user,
        "entityTypeId": number,
        "customSectionId": None,
    }
    info |= {flag: _flag(fields.get(flag)) for flag in _FLAGS}
    now = portal.clock.stamp()
    info |= {"createdTime": now, "updatedTime": now, "updatedBy": call.user}
    info["relations"] = {"parent": [], "child": []}
    for side, rows in entries(fields.get("relations") or {}):
        info["relations"][side] = [_relation(row) for _, row in entries(rows)]
    given = fields.get("linkedUserFields") or {}
    links = dict(entries(given))
    info["linkedUserFields"] = {name: _flag(links.get(name)) for name in _USER_FIELD_LINKS}
    info["customSections"] = []
    entity = portal.add_type(number, info["title"], info)
    for relation in info["relations"]["parent"]:
        entity.add_parent(relation["entityTypeId"])
    portal.emit("ONCRMTYPEADD", {"FIELDS": {"ID": info["id"]}}, f"dynamic_type/{info['id']}")
    return info


def _relation(row: Any) -> Row:
    row = row if isinstance(row, dict) else {}
    return {
        "entityTypeId": int(row.get("entityTypeId") or 0),
        "isChildrenListEnabled": _flag(row.get("isChildrenListEnabled")),
        "isPredefined": "N",
    }


def _flag(value: Any) -> str:
    return "Y" if str(value).lower() in {"y", "1", "true"} else "N"


def _type(call: Call, text: str, key: str = "id") -> EntityType:
    number = call.number("id" if key == "id" else "entitytypeid")
    found = [entity for entity in _dynamic(call) if entity.info.get(key) == number]
    if not found:
        raise RestError(0, text)  # the number, as on the page
    return found[0]


@method("crm.type.getByEntityTypeId", "crm")
def get_by_entity_type(call: Call) -> Any:
    """A smart process by the number that items carry."""
    return {"type": _type(call, "Smart process not found", "entityTypeId").info}


@method("crm.type.update", "crm")
def update(call: Call) -> Any:
    """Change a smart process; switches that are not named stay."""
    entity, fields = _type(call, "SPA not found"), call.get("fields")
    if not isinstance(fields, dict):
        raise missing("fields")
    info = entity.info
    info |= {flag: _flag(fields[flag]) for flag in _FLAGS if flag in fields}
    info |= {name: str(fields[name]) for name in ("title", "code") if fields.get(name)}
    for side, rows in entries(fields.get("relations")):
        info["relations"][side] = [_relation(row) for _, row in entries(rows)]
    links = dict(entries(fields.get("linkedUserFields")))
    info["linkedUserFields"] |= {name: _flag(value) for name, value in links.items()}
    info |= {"updatedTime": call.portal.clock.stamp(), "updatedBy": call.user}
    entity.title = info["title"]
    call.portal.emit(
        "ONCRMTYPEUPDATE", {"FIELDS": {"ID": info["id"]}}, f"dynamic_type/{info['id']}"
    )
    return {"type": info}


@method("crm.type.delete", "crm")
def delete(call: Call) -> Any:
    """Delete a smart process that has no items."""
    entity, portal = _type(call, "Smart process not found"), call.portal
    if len(portal.items[entity.number]):
        raise RestError("BX_ERROR", "You cannot delete an entity type that has elements")
    del portal.types[entity.number], portal.items[entity.number]
    portal.tables["crm.type"].pop(entity.info["id"])
    portal.directories.categories.pop(entity.number, None)
    number = entity.info["id"]
    portal.emit("ONCRMTYPEDELETE", {"FIELDS": {"ID": number}}, f"dynamic_type/{number}")
    return []


@method("crm.type.get", "crm")
def get(call: Call) -> Any:
    """A smart process by the id of its record, which is not its entityTypeId."""
    return {"type": _type(call, "SPA not found").info}


def _dynamic(call: Call) -> list[EntityType]:
    return [entity for entity in call.portal.types.values() if entity.info]
