"""`tasks.task.*` of the second generation [api-reference/tasks/]: keys UPPER in, camelCase out."""

import json
import re
import uuid
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.items import Actor, int_or_none
from local.portal.listing import Page, candidates, cut, read_start
from local.portal.php import entries
from local.portal.portal import Portal
from local.portal.schema import DATA
from local.portal.table import Row
from local.portal.task_filter import task_test

_TEMPLATE: dict[str, Row] = json.loads((DATA / "task.json").read_text(encoding="utf-8"))
_NAMES = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", key).upper(): key
    for key in (
        *("id", "createdBy", "createdDate", "changedBy", "changedDate", "title", "deadline"),
        *("responsibleId", "activityDate", "statusChangedDate", "ufCrmTask", "ufTaskWebdavFiles"),
        *_TEMPLATE["fields"],
    )
}
_DATES = {"deadline", "startDatePlan", "endDatePlan", "dateStart", "closedDate"}
_READ_ONLY = {"id", "createdDate", "changedDate", "changedBy", "activityDate", "statusChangedDate"}
_LISTS = {"auditors", "accomplices", "ufCrmTask", "ufTaskWebdavFiles", "tags"}
_STATUSES = {"2", "3", "4", "5", "6"}
_DONE = "5"


def _problem(text: str, code: str = "ERROR_CORE") -> RestError:
    return RestError(code, text + "<br>" if code == "ERROR_CORE" else text)


def _given(call: Call) -> Row:
    fields = call.get("fields")
    if fields is None:
        raise RestError("100", "Could not find value for parameter {fields} (internal error)")
    if not isinstance(fields, dict):
        raise RestError("100", _not_array(fields, "fields"))
    values: Row = {}
    for name, value in fields.items():
        key = _NAMES.get(name.upper())
        if key and key not in _READ_ONLY:
            values[key] = _value(call.portal, key, value)
    return values


def _not_array(value: Any, name: str) -> str:
    return (
        f"Invalid value {{{value}}} to match with parameter {{{name}}}. "
        "Should be value of type array. (internal error)"
    )


def _value(portal: Portal, key: str, value: Any) -> Any:
    if key in _LISTS:
        return [str(entry) for _, entry in entries(value)]
    if value is None or (value == "" and key in _DATES):
        return None
    if isinstance(value, list | dict):
        raise _problem(f"Incorrect value of {key}")
    if key in _DATES:
        try:
            return portal.clock.parse(value)
        except ValueError:
            raise _problem(f"Incorrect date in {key}") from None
    return str(value)


def _check(call: Call, values: Row, number: int) -> None:
    portal = call.portal
    if "title" in values and not (values["title"] or "").strip():
        raise _problem("Task title is not specified")
    if (
        "responsibleId" in values
        and (int_or_none(values["responsibleId"]) or 0) not in portal.users
    ):
        raise _problem("The responsible person was not found")
    if "status" in values and values["status"] not in _STATUSES:
        raise _problem("Invalid task status")
    if parent := int_or_none(values.get("parentId")):
        if parent == number:
            raise _problem("Cannot bind the node to itself")
        if portal.tasks.get(parent) is None:
            raise _problem("The parent task was not found")
    start, end = values.get("startDatePlan"), values.get("endDatePlan")
    if start and end and end < start:
        raise _problem("The planned end date is earlier than the start date")


@method("tasks.task.add", "task")
def add(call: Call) -> Any:
    """Make a task; the answer is all of it."""
    values = _given(call)
    if not (values.get("title") or "").strip():
        raise _problem("Task title is not specified")
    if not values.get("responsibleId"):
        raise _problem("The responsible person is not specified")
    _check(call, values, 0)
    return {"task": _detail(call.portal, create_task(call.portal, values, call.actor))}


def create_task(portal: Portal, values: Row, actor: Actor, *, event: bool = True) -> Row:
    """Store a task and raise ONTASKADD."""
    number, now, user = portal.tasks.next_id(), portal.clock.stamp(), str(actor.user)
    row: Row = {
        "id": number,
        "createdBy": user,
        "createdDate": now,
        "responsibleId": user,
        "changedBy": user,
        "changedDate": now,
        "statusChangedDate": now,
        "activityDate": now,
        "guid": "{" + str(uuid.UUID(int=portal.random.getrandbits(128))) + "}",
    } | values
    portal.tasks.put(number, row)
    for owner in row.get("ufCrmTask", []):
        _tell_owner(portal, owner, row, actor)
    if event:
        _emit(portal, "ADD", "undefined", {"ID": number})
    return row


def _tell_owner(portal: Portal, owner: str, row: Row, actor: Actor) -> None:
    short, _, number = owner.partition("_")
    codes = {
        "L": "lead",
        "D": "deal",
        "C": "contact",
        "CO": "company",
        "Q": "quote",
        "SI": "invoice",
    }
    kind = (
        codes.get(short) or f"dynamic_{int(short[1:] or '0', 16)}" if short[1:].isalnum() else short
    )
    if actor.rest:
        subject = f"{codes.get(short, kind)}/{number}"
        portal.strip.saw(subject, "written", portal.clock.now(), {"task": row["id"]})


def _emit(portal: Portal, action: str, before: Any, after: Any) -> None:
    """The missing side is the string `undefined` [events-tasks/]."""
    number = (after if before == "undefined" else before)["ID"]
    data = {
        "FIELDS_BEFORE": before,
        "FIELDS_AFTER": after,
        "IS_ACCESSIBLE_BEFORE": "N" if action == "ADD" else "undefined",
        "IS_ACCESSIBLE_AFTER": "N" if action == "DELETE" else "undefined",
    }
    portal.emit(f"ONTASK{action}", data, f"task/{number}")


def _task(call: Call) -> Row:
    names = ["taskid", "id"] if call.portal.settings.task_get_takes_id else ["taskid"]
    if call.get(*names) is None:
        raise RestError("100", "Could not find value for parameter {taskId} (internal error)")
    row = call.portal.tasks.get(call.number(*names))
    if row is None or not _readable(call, row):
        raise RestError("0", "Task not found or not accessible")
    return row


def _readable(call: Call, row: Row) -> bool:
    return not call.portal.denials or call.portal.may_read(call.user, 0, row)


@method("tasks.task.get", "task")
def get(call: Call) -> Any:
    """A task; `ufCrmTask` and files only if selected."""
    select = call.get("select")
    if select is not None and not isinstance(select, list | dict):
        raise RestError("100", _not_array(select, "select"))
    row = _task(call)
    call.touched.append(("read", f"task/{row['id']}"))
    view = _detail(call.portal, row)
    wanted = {str(name).upper() for _, name in entries(select or [])}
    for key in ("ufCrmTask", "ufTaskWebdavFiles"):
        if _upper(key) in wanted or "UF_*" in wanted:
            files = key == "ufTaskWebdavFiles"
            view[key] = (
                [int(v.lstrip("n")) for v in row.get(key, [])] if files else row.get(key, [])
            )
            view["ufMailMessage"] = None
    if wanted and "*" not in wanted:
        keep = {_NAMES.get(name, "") for name in wanted}
        always = {"id", "descriptionInBbcode", "favorite", "group", "action", "ufMailMessage"}
        keep |= always | {"creator" if "createdBy" in keep else ""}
        keep |= {"responsible" if "responsibleId" in keep else ""}
        view = {key: value for key, value in view.items() if key in keep}
    return {"task": view}


def _upper(key: str) -> str:
    return next(name for name, one in _NAMES.items() if one == key)


def _person(portal: Portal, number: Any) -> Row:
    user = portal.users.get(int_or_none(number) or 0, {})
    return {
        "id": str(number),
        "name": f"{user.get('name', '')} {user.get('lastName', '')}".strip(),
        "link": f"/company/personal/user/{number}/",
        "icon": "/bitrix/images/tasks/default_avatar.png",
        "workPosition": user.get("position", ""),
    }


def _view(portal: Portal, row: Row) -> Row:
    hidden = {"ufCrmTask", "ufTaskWebdavFiles", "tags"}
    view = _TEMPLATE["fields"] | {key: value for key, value in row.items() if key not in hidden}
    view["id"] = str(row["id"])
    view["creator"] = _person(portal, row["createdBy"])
    view["responsible"] = _person(portal, row["responsibleId"])
    for key in ("auditors", "accomplices"):
        people = {str(one): _person(portal, one) for one in row.get(key, [])}
        view[f"{key}Data"] = people or []
    return view


def _detail(portal: Portal, row: Row) -> Row:
    return _view(portal, row) | _TEMPLATE["detail"]


@method("tasks.task.list", "task")
def list_tasks(call: Call) -> Page:
    """Tasks; `ID: […]` takes ids, `>=CHANGED_DATE` what changed since."""
    portal, order = call.portal, []
    given = call.get("filter", default={})
    for name, way in entries(call.get("order", default={})):
        key = _NAMES.get(name.upper())
        if key is None:
            raise RestError("0", "Invalid sorting key (internal error)")
        order.append((key, str(way).upper().startswith("DESC")))
    rows, ordered = candidates(portal.tasks, given, order)
    shift = portal.settings.filter_shift_hours
    tests = [
        task_test(name, value, _NAMES, _TEMPLATE["fields"], portal.clock, shift)
        for name, value in entries(given)
    ]
    rows = (row for row in rows if all(test(row) for test in tests) and _readable(call, row))
    page = cut(rows, order, read_start(call.get("start")), ordered=ordered)
    call.touched += [("read", f"task/{row['id']}") for row in page.result]
    select = {str(name).upper() for _, name in entries(call.get("select", default=[]))}
    page.result = {"tasks": [_list_view(portal, row, select) for row in page.result]}
    return page


def _list_view(portal: Portal, row: Row, select: set[str]) -> Row:
    view = _view(portal, row) | _TEMPLATE["list"]
    view["parsedDescription"] = view["description"]
    view["subStatus"] = view["status"]
    if "UF_CRM_TASK" in select:
        view["ufCrmTask"] = row.get("ufCrmTask", [])
    if select and "*" not in select:
        keep = {_NAMES.get(name, "") for name in select} | {"id", "group", "descriptionInBbcode"}
        keep |= {"subStatus"} | {"responsible" if "responsibleId" in keep else ""}
        view = {key: value for key, value in view.items() if key in keep}
    return view


@method("tasks.task.update", "task")
def update(call: Call) -> Any:
    """Change a task; the answer is all of it."""
    row = _task(call)
    values = _given(call)
    _check(call, values, row["id"])
    return {"task": _detail(call.portal, change_task(call.portal, row, values, call.actor))}


def change_task(portal: Portal, row: Row, values: Row, actor: Actor) -> Row:
    """Store what differs and raise ONTASKUPDATE; nothing is stamped where nothing changes."""
    blank = _TEMPLATE["fields"]
    changed = {k: v for k, v in values.items() if row.get(k, blank.get(k)) != v}
    if not changed:
        return row
    now, user = portal.clock.stamp(), str(actor.user)
    if "status" in changed:
        changed |= {"statusChangedDate": now, "statusChangedBy": user}
        done = changed["status"] == _DONE
        changed |= {"closedDate": now if done else None, "closedBy": user if done else None}
    new = row | changed | {"changedDate": now, "changedBy": user, "activityDate": now}
    portal.tasks.put(row["id"], new)
    if actor.rest:
        portal.strip.saw(
            f"task/{row['id']}", "written", portal.clock.now(), {"fields": sorted(changed)}
        )
    _emit(portal, "UPDATE", {"ID": row["id"]}, {"ID": row["id"]})
    return new


@method("tasks.task.complete", "task")
def complete(call: Call) -> Any:
    """Finish a task; a finished one can't be finished again."""
    row = _task(call)
    if row.get("status") == _DONE:
        raise RestError("0", "Action on the task is not allowed")
    return {
        "task": _detail(call.portal, change_task(call.portal, row, {"status": _DONE}, call.actor))
    }


@method("tasks.task.delete", "task")
def delete(call: Call) -> Any:
    """Delete a task."""
    if call.get("taskid", "id") is None:
        raise RestError(
            "100", "CTaskItem All parameters in the constructor must have real class type"
        )
    row = call.portal.tasks.get(call.number("taskid", "id"))
    if row is None or not _readable(call, row):
        raise RestError("1048582", "No access to delete the task")
    call.portal.tasks.pop(row["id"])
    _emit(call.portal, "DELETE", {"ID": row["id"]}, "undefined")
    return {"task": True}


@method("task.commentitem.add", "task", positional=("taskid", "fields"))
def comment_add(call: Call) -> Any:
    """Comment on a task; the arguments are bound by their order."""
    row = call.portal.tasks.get(call.number("taskid"))
    fields = call.get("fields")
    text = fields.get("POST_MESSAGE") if isinstance(fields, dict) else None
    if row is None or not text or not _readable(call, row):
        raise RestError("ERROR_CORE", "Insufficient permissions to add a comment.<br>")
    portal = call.portal
    number = portal.activity.next_message()
    row["comments"] = [*row.get("comments", []), {"id": number, "text": str(text)}]
    new = portal.settings.new_task_card
    after: Row = {"ID": 0 if new else number, "TASK_ID": row["id"], "MESSAGE_ID": number}
    data = {
        "FIELDS_BEFORE": "undefined",
        "FIELDS_AFTER": after,
        "IS_ACCESSIBLE_BEFORE": "undefined",
        "IS_ACCESSIBLE_AFTER": "undefined",
    }
    portal.emit("ONTASKCOMMENTADD", data, f"task_comment/{number}")
    call.wrote(f"task/{row['id']}", comment=str(text)[:200])
    return number
