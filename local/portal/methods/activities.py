"""Activities: what is special about them, and the planned ones [crm/timeline/activities/]."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, classic, not_found
from local.portal.family import FAMILIES
from local.portal.methods.timeline import named_owner
from local.portal.php import entries, int_or_none
from local.portal.rows import hook, insert, table_of
from local.portal.shape import Field
from local.portal.table import Row
from local.portal.values import read_value

_FAMILY = FAMILIES["crm.activity"]
_PROVIDERS = {1: ("CRM_MEETING", "MEETING"), 2: ("VOXIMPLANT_CALL", "CALL")}
_PROVIDERS[4] = ("CRM_EMAIL", "EMAIL")
_FILE = Field("FILES", "FILES", "file")
_DONE, _WAITING = 2, 1
_CALL = 2  # of somebody, never of several
_UNBOUND = "Could not build binding. Please ensure that owner info and communications are defined "
_UNBOUND += "correctly."
_COMPLETED = {
    "Color": "CAN_NOT_UPDATE_COLOR_COMPLETED_TODO",
    "ResponsibleUser": "CAN_NOT_UPDATE_RESPONSIBLE_USER_COMPLETED_TODO",
}
_COLORS = {"1", "2", "3", "4", "5", "6", "7", "default"}


@hook("crm.activity", "check")
def check_activity(call: Call, values: Row, old: Row | None) -> None:
    """Complete a new activity: its provider, its bindings, the ids of its communications."""
    if old is None:
        _complete(values)
    if "COMPLETED" in values:
        values["STATUS"] = _DONE if values["COMPLETED"] == "Y" else _WAITING
    if "COMMUNICATIONS" in values:
        rows = [one for _, one in entries(values["COMMUNICATIONS"])]
        if len(rows) > 1 and (values.get("TYPE_ID") or (old or {}).get("TYPE_ID")) == _CALL:
            text = "The only one communication is allowed for activity of specified type"
            raise classic(text)
        values["COMMUNICATIONS"] = [_communication(call, dict(entries(row))) for row in rows]
    if "FILES" in values:
        given = [read_value(call.portal, _FILE, one) for _, one in entries(values["FILES"])]
        address = f"https://{call.portal.domain}/bitrix/tools/crm_show_file.php?fileId="
        values["FILES"] = [{"id": one, "url": f"{address}{one}"} for one in given if one]


def _complete(values: Row) -> None:
    """Give a new activity its owner, its bindings and its provider."""
    bindings = [dict(entries(one)) for _, one in entries(values.get("BINDINGS"))]
    owner = {"OWNER_ID": values.get("OWNER_ID"), "OWNER_TYPE_ID": values.get("OWNER_TYPE_ID")}
    if not owner["OWNER_ID"] and bindings:
        owner = bindings[0]
    if not int_or_none(owner.get("OWNER_TYPE_ID")) or not int_or_none(owner.get("OWNER_ID")):
        raise classic(_UNBOUND)
    owner = {name: int(str(value)) for name, value in owner.items()}
    if not values.get("TYPE_ID") and not values.get("PROVIDER_ID"):
        raise classic("The field TYPE_ID is not defined or invalid.")
    values |= owner | {"BINDINGS": bindings or [owner]}
    provider = _PROVIDERS.get(values.get("TYPE_ID") or 0)
    if provider and not values.get("PROVIDER_ID"):
        values["PROVIDER_ID"], values["PROVIDER_TYPE_ID"] = provider
    values.setdefault("DEADLINE", values.get("START_TIME") or "")


def _communication(call: Call, given: Row) -> Row:
    portal, value = call.portal, str(given.get("VALUE", ""))
    kind = str(given.get("TYPE") or ("EMAIL" if "@" in value else "PHONE"))
    number, entity = int_or_none(given.get("ENTITY_ID")), int_or_none(given.get("ENTITY_TYPE_ID"))
    table = portal.items.get(entity or 0)
    row = (table.get(number or 0) if table else None) or {}
    names = {"NAME": "name", "SECOND_NAME": "secondName", "LAST_NAME": "lastName"}
    settings = {"HONORIFIC": row.get("honorific") or ""}
    settings |= {name: row.get(key) or "" for name, key in names.items()}
    settings |= {"COMPANY_TITLE": "", "COMPANY_ID": str(row.get("companyId") or 0)}
    return {
        "ID": str(portal.next_multi_field_id()),
        "TYPE": kind,
        "VALUE": value,
        "ENTITY_ID": str(number or 0),
        "ENTITY_TYPE_ID": str(entity or 0),
        "ENTITY_SETTINGS": settings,
    }


@hook("crm.activity", "add")
def added_activity(call: Call, row: Row) -> None:
    """What happens in a timeline moves an item's time of activity."""
    table = call.portal.items.get(row["OWNER_TYPE_ID"])
    item = table.get(row["OWNER_ID"]) if table else None
    if table and item:
        active = {"lastActivityTime": row["CREATED"], "lastActivityBy": call.user}
        table.put(item["id"], item | active)


@hook("crm.activity", "where")
def bound_to(_call: Call, given: Row) -> Callable[[Row], bool] | None:
    """`BINDINGS` finds what hangs on any of several items, or on any item of a type."""
    name = next((key for key in given if key.lstrip("@=").upper() == "BINDINGS"), None)
    if name is None:
        return None
    rows = given.pop(name)
    rows = [rows] if isinstance(rows, dict) and "OWNER_TYPE_ID" in rows else rows
    wanted = [{k: int_or_none(v) for k, v in entries(one)} for _, one in entries(rows)]

    def test(row: Row) -> bool:
        bound = [{k: int_or_none(v) for k, v in one.items()} for one in row.get("BINDINGS", [])]
        return any(one.items() <= there.items() for one in wanted for there in bound)

    return test


@method("crm.activity.todo.add", "crm")
def todo_add(call: Call) -> Any:
    """Plan something on an item."""
    named_owner(call, "NOT_FOUND")
    owner = {"OWNER_ID": call.number("ownerid"), "OWNER_TYPE_ID": call.number("ownertypeid")}
    values: Row = owner | {"BINDINGS": [owner], "TYPE_ID": 6, "COMPLETED": "N"}
    values |= {"PROVIDER_ID": "CRM_TODO", "PROVIDER_TYPE_ID": "TODO", "DIRECTION": 2}
    values |= {"SUBJECT": "", "DESCRIPTION": ""} | _todo_values(call)
    row = insert(call, _FAMILY, values)
    number = row["id"]
    call.portal.emit("ONCRMACTIVITYADD", {"FIELDS": {"ID": number}}, f"activity/{number}")
    return {"id": number}


def _todo_values(call: Call) -> Row:
    keys = {"title": "SUBJECT", "description": "DESCRIPTION"}
    found: Row = {keys[n]: str(call.get(n) or "") for n in keys if call.get(n) is not None}
    if call.number("responsibleid"):
        found["RESPONSIBLE_ID"] = call.number("responsibleid")
    if call.get("deadline") is not None:
        try:
            moment = call.portal.clock.parse(call.get("deadline"))
        except ValueError:
            raise RestError("WRONG_DATETIME_FORMAT", "Wrong datetime format") from None
        found |= {"DEADLINE": moment, "START_TIME": moment, "END_TIME": moment}
    return found


def _todo_update(part: str, call: Call) -> Any:
    """Change a planned activity; `value` is what the method's name says."""
    named_owner(call, "NOT_FOUND")
    table = table_of(call, _FAMILY)
    row = table.get(call.number("id"))
    owner = (call.number("ownertypeid"), call.number("ownerid"))
    if row is None or (row["OWNER_TYPE_ID"], row["OWNER_ID"]) != owner:
        raise not_found()
    if row.get("COMPLETED") == "Y":
        code = _COMPLETED.get(part, "CAN_NOT_UPDATE_COMPLETED_TODO")
        raise RestError(code, "A completed activity can't be changed")
    if part == "Color" and str(call.get("colorid")) not in _COLORS:
        raise RestError("CAN_NOT_UPDATE_WRONG_COLOR_TODO", "There is no such colour")
    if part == "ResponsibleUser" and call.number("responsibleid") < 1:
        text = 'Parameter "responsibleId" must be greater than 0'
        raise RestError("INVALID_ARG_VALUE", text)
    if part in {"Deadline", "Description"}:
        call.params = {part.lower(): call.get("value")}
    values = _todo_values(call) | {"LAST_UPDATED": call.portal.clock.stamp()}
    table.put(row["id"], row | values | {"EDITOR_ID": call.user})
    call.portal.emit("ONCRMACTIVITYUPDATE", {"FIELDS": {"ID": row["id"]}}, f"activity/{row['id']}")
    return {"id": row["id"]}


for _name in ("", "Deadline", "Description", "Color", "ResponsibleUser"):
    method(f"crm.activity.todo.update{_name}", "crm")(partial(_todo_update, _name))
