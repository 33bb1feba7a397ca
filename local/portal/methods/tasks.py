"""`tasks.task.*` of the second generation [api-reference/tasks/]: keys UPPER in, camelCase out."""

from typing import Any

from local.portal.call import Call, method
from local.portal.chats import task_chat
from local.portal.errors import RestError
from local.portal.listing import Page, candidates, cut, read_start
from local.portal.php import entries, int_or_none
from local.portal.portal import Portal
from local.portal.table import Row
from local.portal.task_fields import check_own, own_names, own_value, own_values, snake
from local.portal.task_filter import ALIASES, special_test, task_test
from local.portal.task_store import ancestors, change_task, create_task, emit_task
from local.portal.task_view import NAMES, TEMPLATE, detail, list_view

_DATES = {"deadline", "startDatePlan", "endDatePlan", "dateStart", "closedDate"}
_READ_ONLY = {"id", "createdDate", "changedDate", "changedBy", "activityDate", "statusChangedDate"}
_LISTS = {"auditors", "accomplices", "ufCrmTask", "ufTaskWebdavFiles", "tags"}
_STATUSES = {"2", "3", "4", "5", "6"}
_LAST_YEAR = 2100  # planned later than this, a task lasts too long


def _problem(text: str, code: str = "ERROR_CORE") -> RestError:
    return RestError(code, text + "<br>" if code == "ERROR_CORE" else text)


def _given(call: Call) -> Row:
    values: Row = {}
    own = own_names(call.portal)
    for name, value in call.get("fields").items():
        key = NAMES.get(snake(name))
        if key and key not in _READ_ONLY:
            values[key] = _value(call.portal, key, value)
        elif snake(name) in own:
            values[own[snake(name)]] = own_value(value)
    return values


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
        raise _problem('User specified in the "Responsible" field not found')
    if "status" in values and values["status"] not in _STATUSES:
        raise _problem("Invalid status" if number else "Incorrect status")
    if parent := int_or_none(values.get("parentId")):
        if parent == number:
            raise _problem("Cannot bind the node to itself")
        if portal.tasks.get(parent) is None:
            raise _problem('Task specified in the "Parent Task" field not found')
        if number in ancestors(portal, parent):
            raise _problem("Creating cyclic links in tasks is prohibited")
    start, end = values.get("startDatePlan"), values.get("endDatePlan")
    if start and end and end < start:
        raise _problem("The end date in scheduling is earlier than the start date")
    if end and int(str(end)[:4]) > _LAST_YEAR:
        raise _problem("The specified task duration is too long")


@method("tasks.task.add", "task")
def add(call: Call) -> Any:
    """Make a task; the answer is all of it."""
    values = _given(call)
    if not (values.get("title") or "").strip():
        raise _problem("Task title is not specified")
    if not values.get("responsibleId"):
        raise _problem("Responsible person not specified")
    _check(call, values, 0)
    check_own(call.portal, values)
    return {"task": detail(call.portal, create_task(call.portal, values, call.actor))}


def task_number(call: Call, *names: str) -> int:
    """Read the number of a task where the older core reads it."""
    given = call.get(*(names or ("taskid", "id")))
    if given is None:
        text = "CTaskItem All parameters in the constructor must have real class type"
        raise RestError("100", text)
    if int_or_none(given) is None:
        raise RestError("0", "wrong task id")
    return int_or_none(given) or 0


def task_of(call: Call, refusal: RestError | None = None) -> Row:
    """The task of the request, if the owner may see it; otherwise the refusal is raised."""
    names = ["taskid", "id"] if call.portal.settings.task_get_takes_id else ["taskid"]
    return find_task(call, task_number(call, *names), refusal)


def find_task(call: Call, number: int, refusal: RestError | None = None) -> Row:
    """A task by its number, if the owner may see it."""
    row = call.portal.tasks.get(number)
    if row is None or not call.portal.may_read(call.user, 0, row):
        raise refusal or RestError("0", "Task not found or not accessible")
    return row


@method("tasks.task.get", "task")
def get(call: Call) -> Any:
    """A task; `ufCrmTask` and files only if selected."""
    select = call.get("select")
    number = call.number("taskid", "id")
    if call.portal.settings.task_get_absent_empty and number not in call.portal.tasks.rows:
        return []
    row = task_of(call)
    call.touched.append(("read", f"task/{row['id']}"))
    view = detail(call.portal, row)
    wanted = {snake(name) for _, name in entries(select or [])}
    for name in ("UF_CRM_TASK", "UF_TASK_WEBDAV_FILES"):
        if name in wanted or "UF_*" in wanted:
            key = NAMES[name]
            found = row.get(key, [])
            files = key == "ufTaskWebdavFiles"
            view[key] = [int(one.lstrip("n")) for one in found] if files else found
            view["ufMailMessage"] = None
    own = own_values(call.portal, row, wanted)
    if "CHAT_ID" in wanted:
        view["chatId"] = task_chat(call.portal, row)["id"]
    if wanted and "*" not in wanted:
        keep = {NAMES.get(name, "chatId") for name in wanted}
        always = {"id", "descriptionInBbcode", "favorite", "group", "action", "ufMailMessage"}
        keep |= always | {"creator" if "createdBy" in keep else ""}
        keep |= {"responsible" if "responsibleId" in keep else ""}
        view = {key: value for key, value in view.items() if key in keep}
    return {"task": view | own}


@method("tasks.task.list", "task")
def list_tasks(call: Call) -> Page:
    """Tasks; `ID: […]` takes ids, `>=CHANGED_DATE` what changed since."""
    portal, order = call.portal, []
    given, names = call.get("filter", default={}), NAMES | own_names(call.portal)
    for name, way in entries(call.get("order", default={})):
        key = names.get(snake(name)) or ALIASES.get(snake(name))
        if key is None:
            raise RestError("0", "Invalid sorting key (internal error)")
        order.append((key, str(way).upper().startswith("DESC")))
    order = order or [("id", True)]
    rows, ordered = candidates(portal.tasks, given, order)
    now, ids = portal.clock.stamp(), portal.tasks.rows
    shift = portal.settings.filter_shift_hours
    tests = [
        special_test(name, value, call.user, now, ids)
        or task_test(name, value, names, TEMPLATE["fields"], portal.clock, shift)
        for name, value in entries(given)
    ]
    rows = (row for row in rows if all(test(row) for test in tests))
    rows = (row for row in rows if portal.may_read(call.user, 0, row))
    page = cut(rows, order, read_start(call.get("start")), ordered=ordered)
    call.touched += [("read", f"task/{row['id']}") for row in page.result]
    select = {snake(name) for _, name in entries(call.get("select", default=[]))}
    if select:
        params = entries(call.get("params", default={}))
        select |= {name.upper() for name, on in params if str(on).lower() in {"y", "1", "true"}}
    page.result = {"tasks": [list_view(portal, row, select) for row in page.result]}
    return page


@method("tasks.task.update", "task")
def update(call: Call) -> Any:
    """Change a task; the answer is all of it."""
    row = task_of(call, RestError("0", "Action on the task is not allowed (internal error)"))
    values = _given(call)
    _check(call, values, row["id"])
    return {"task": detail(call.portal, change_task(call.portal, row, values, call.actor))}


@method("tasks.task.delete", "task")
def delete(call: Call) -> Any:
    """Delete a task."""
    row = find_task(call, task_number(call), RestError("1048582", "No access to delete the task"))
    call.portal.tasks.pop(row["id"])
    emit_task(call.portal, "DELETE", {"ID": row["id"]}, "undefined")
    return {"task": True}
