"""What happens to a task: its states, who watches it, who does it [api-reference/tasks/status/]."""

from functools import partial
from typing import Any

from local.portal.call import Call, method, methods
from local.portal.chats import task_chat
from local.portal.errors import RestError
from local.portal.listing import Page
from local.portal.methods.tasks import find_task, task_number, task_of
from local.portal.php import entries, int_or_none
from local.portal.static import MANIFESTS
from local.portal.task_fields import described
from local.portal.task_store import DONE, change_task
from local.portal.task_view import TEMPLATE, detail

_WAITING, _RUNNING, _CONTROL, _DEFERRED = "2", "3", "4", "6"
# method: from which states, to which
_STATES = {
    "start": ({_WAITING, _DEFERRED}, _RUNNING),
    "pause": ({_RUNNING}, _WAITING),
    "defer": ({_WAITING, _RUNNING}, _DEFERRED),
    "renew": ({DONE, _CONTROL, _DEFERRED}, _WAITING),
    "complete": ({_WAITING, _RUNNING, _DEFERRED, _CONTROL}, DONE),
    "approve": ({_CONTROL}, DONE),
    "disapprove": ({_CONTROL}, _WAITING),
}
_CODE_NULL = {"start", "complete"}


def _refused(verb: str) -> RestError:
    return RestError("0" if verb in _CODE_NULL else "1048582", "Action on the task is not allowed")


def _move(verb: str, call: Call) -> Any:
    row, (sources, target) = task_of(call, _refused(verb)), _STATES[verb]
    if row.get("status", _WAITING) not in sources:
        raise _refused(verb)
    controlled = verb == "complete" and row.get("taskControl") == "Y"
    if controlled and row["createdBy"] != str(call.user) and not call.owner().get("admin"):
        target = _CONTROL
    values: dict[str, Any] = {"status": target}
    if verb == "start":
        values["dateStart"] = call.portal.clock.stamp()
    return {"task": detail(call.portal, change_task(call.portal, row, values, call.actor))}


methods("task", {f"tasks.task.{verb}": partial(_move, verb) for verb in _STATES})


@method("tasks.task.delegate", "task")
def delegate(call: Call) -> Any:
    """Hand a task to somebody else; who had it looks on."""
    row = task_of(call, _refused("start"))
    user = call.number("userid")
    if user not in call.portal.users or row.get("status") == DONE:
        raise _refused("start")
    watchers = sorted({*row.get("auditors", []), row["responsibleId"]})
    values = {"responsibleId": str(user), "auditors": watchers}
    return {"task": detail(call.portal, change_task(call.portal, row, values, call.actor))}


def _watch(key: str, on: bool, call: Call) -> Any:
    wrong = RestError("1048584", "a:0:{}") if key == "auditors" else RestError("0", "wrong task id")
    row = find_task(call, task_number(call), wrong)
    user = str(call.user)
    people = [one for one in row.get(key, []) if one != user] + ([user] if on else [])
    if key == "auditors":
        row = change_task(call.portal, row, {key: people}, call.actor)
    else:
        row[key] = people
    shown = {"chatId": task_chat(call.portal, row)["id"]} if key == "pinnedBy" else {}
    return {"task": detail(call.portal, row) | shown}


_ON = {"startwatch": "auditors", "mute": "mutedBy", "pin": "pinnedBy"}
_OFF = {"stopwatch": "auditors", "unmute": "mutedBy", "unpin": "pinnedBy"}
for _names, _on in ((_ON, True), (_OFF, False)):
    methods("task", {f"tasks.task.{k}": partial(_watch, key, _on) for k, key in _names.items()})


def _favorite(on: bool, call: Call) -> Any:
    refusal = RestError("1", "Task not found or not accessible")
    row = find_task(call, task_number(call), refusal)
    people = {*row.get("favoriteOf", [])} - {call.user}
    row["favoriteOf"] = sorted(people | {call.user} if on else people)
    return True


method("tasks.task.favorite.add", "task")(partial(_favorite, True))
method("tasks.task.favorite.remove", "task")(partial(_favorite, False))


@method("tasks.task.getaccess", "task")
def get_access(call: Call) -> Any:
    """What people may do with a task."""
    row = task_of(call)
    given = call.get("users", default=[call.user])
    state = row.get("status", _WAITING)
    allowed = {verb.upper(): state in sources for verb, (sources, _) in _STATES.items()}
    favourite = call.user in row.get("favoriteOf", [])
    allowed |= TEMPLATE["access"]
    allowed |= {"ADD_FAVORITE": not favourite, "DELETE_FAVORITE": favourite}
    users = [int_or_none(user) or 0 for _, user in entries(given)]
    return {"allowedActions": {str(user): allowed for user in users}}


@method("tasks.task.getFields", "task")
def get_fields(call: Call) -> Any:
    """What a task has, fields that people made among it."""
    fields: dict[str, Any] = MANIFESTS["tasks.task.getFields"]["fields"]
    return {"fields": fields | described(call.portal)}


@method("tasks.task.counters.get", "task")
def counters(call: Call) -> Any:
    """Overdue tasks and new comments of somebody."""
    if call.number("groupid"):
        raise RestError("0", "Group not found or access denied. (internal error)")
    user, now = call.number("userid") or call.user, call.portal.clock.stamp()
    late = [
        row
        for row in call.portal.tasks.walk()
        if row["responsibleId"] == str(user) and row.get("status") != DONE
        if row.get("deadline") and row["deadline"] < now
    ]
    found = {
        "expired": {"counter": len(late), "code": 6291456},
        "new_comments": {"counter": 0, "code": 12582912},
    }
    return Page(found, 1)
