"""A task as REST 3.0 shows and takes it: names and types of its own [rest-v3.md]."""

import json
from typing import Any

from local.portal.chats import task_chat
from local.portal.family import upper_snake
from local.portal.php import int_or_none
from local.portal.portal import Portal
from local.portal.schema import DATA
from local.portal.table import Row
from local.portal.task_view import TEMPLATE
from local.portal.v3_errors import check_type, invalid, missing, unknown_field
from local.portal.v3_query import Dto

BLANK: Row = json.loads((DATA / "task_v3.json").read_text(encoding="utf-8"))
_STATUSES = {"2": "pending", "3": "in_progress", "4": "supposedly_completed", "5": "completed"}
_STATUSES |= {"6": "deferred", "7": "declined"}
_PRIORITIES = {"0": "low", "1": "average", "2": "high"}
_WORDS = {"status": _STATUSES, "priority": _PRIORITIES}
_PEOPLE = {"creator": "creatorId", "responsible": "responsibleId", "changedBy": "changedById"}
_PEOPLE |= {"statusChangedBy": "statusChangedById", "closedBy": "closedById"}


def value_of(row: Row, name: str) -> Any:
    """Read a field of a stored task in v3's type."""
    stored, kind = TASK.keys[name], TASK.types[name]
    value = row.get(stored, TEMPLATE["fields"].get(stored))
    if name in _WORDS:
        return _WORDS[name].get(str(value), BLANK[name])
    if kind == "int":
        return int_or_none(value) or None
    return value if value is not None else BLANK.get(name)


_KINDS = {bool: "bool", int: "int", list: "array", dict: "object"}
TASK = Dto("TaskDto", value_of)
_BESIDE = {name: _KINDS.get(type(value), "string") for name, value in BLANK.items()}
_BESIDE = dict.fromkeys(_PEOPLE, "object") | _BESIDE
TASK.types |= {name: kind for name, kind in _BESIDE.items() if name not in TASK.keys}


def view(portal: Portal, reader: int, row: Row, select: list[str] | None) -> Row:
    """Show a task; an unknown field of it is left out, one of what it is linked to is an error."""
    whole = BLANK | {name: value_of(row, name) for name in TASK.keys}
    whole["link"] = f"/company/personal/user/{reader}/tasks/task/view/{row['id']}/"
    asked = [name for name in select or () if "." not in name]
    if not asked:  # people that are asked for come beside the rest
        asked = [name for name in whole if "h" not in TASK.marks.get(name, "")]
    shown: Row = {name: whole[name] for name in asked if name in whole}
    for name in select or ():
        link, dot, inner = name.partition(".")
        if not dot or link not in {*_PEOPLE, "chat", "parent"}:
            continue
        kind, linked = _linked(portal, row, link)
        if inner not in linked:
            raise unknown_field(inner, kind)
        shown[link] = shown.get(link, {}) | {inner: linked[inner]}
    if "chatId" in (select or ()):
        shown["chatId"] = _chat(portal, row)["id"]
    return shown


def _linked(portal: Portal, row: Row, link: str) -> tuple[str, Row]:
    """What a task is linked to, and the name of that kind of record."""
    if link == "chat":
        return "ChatDto", _chat(portal, row)
    if link == "parent":
        parent = portal.tasks.get(value_of(row, "parentId") or 0)
        return "TaskDto", {name: value_of(parent, name) if parent else None for name in TASK.keys}
    return "UserDto", _person(portal, value_of(row, _PEOPLE[link]))


def _chat(portal: Portal, row: Row) -> Row:
    number = task_chat(portal, row)["id"]
    return {"id": number, "entityId": row["id"], "entityType": "TASKS_TASK"}


def _person(portal: Portal, number: Any) -> Row:
    user = portal.users.get(number or 0, {})
    name = f"{user.get('name', '')} {user.get('lastName', '')}".strip()
    shown = {"id": number, "name": name, "role": "employee", "image": None, "rights": {}}
    shown |= {"gender": user.get("PERSONAL_GENDER", ""), "email": user.get("email")}
    return shown | {"externalAuthId": "default"}


def stored(portal: Portal, fields: Any, *, new: bool) -> Row:
    """Bring v3's fields into the older API's names and values."""
    if not isinstance(fields, dict):
        raise missing("fields")
    for name in ("title", "creatorId", "responsibleId") if new else ():
        if not fields.get(name):
            raise missing(name)
    found: Row = {}
    for name, value in fields.items():
        marks = TASK.marks.get(name, "")
        if "n" in marks and not new:
            text = "In DTO `TaskDto`, the field `creatorId` requires the presence of the"
            raise invalid((name, f"{text} `Editable` attribute for such a request"))
        if "n" in marks or "e" in marks:
            found[upper_snake(TASK.keys[name])] = _taken(name, value)
    for name in ("responsibleId", "creatorId"):
        if name in fields and fields[name] not in portal.users:
            text = 'User specified in the "Executor" field not found'  # nothing is said of creators
            raise invalid((name, text if name == "responsibleId" else ""))
    return found


def _taken(name: str, value: Any) -> Any:
    kind = TASK.types[name]
    if value is None:
        return None
    check_type(name, kind, value)
    if name not in _WORDS:
        return value
    code = next((code for code, word in _WORDS[name].items() if word == value), None)
    if code is None:
        raise invalid((name, f"Field `{name}` has an unknown value"))
    return code
