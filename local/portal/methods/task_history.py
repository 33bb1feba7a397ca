"""The history of a task [api-reference/tasks/tasks-task-history-list.md]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.methods.tasks import task_of
from local.portal.php import entries
from local.portal.table import Row
from local.portal.task_history import history


@method("tasks.task.history.list", "task")
def list_history(call: Call) -> Any:
    """What happened to a task, the newest first."""
    task = task_of(call, RestError("0", "Access denied. (internal error)"))
    rows = [row for row in history(call.portal).walk() if row["task"] == task["id"]]
    given = dict(entries(call.get("filter", default={})))
    wanted = str(given.get("FIELD", given.get("field", "")))
    rows = [row for row in rows if wanted in {"", row["field"]}]
    for name, way in entries(call.get("order", default={}))[:1] or [("id", "desc")]:
        key = {"createddate": "createdDate", "field": "field"}.get(name.lower(), "id")
        rows.sort(key=lambda row: (row[key], row["id"]), reverse=str(way).upper() == "DESC")
    return {"list": [_view(call, row) for row in rows]}


def _view(call: Call, row: Row) -> Row:
    names = ("id", "createdDate", "field", "value")
    user = call.portal.users.get(row["user"], {})
    person = {"id": row["user"], "name": user.get("name", ""), "lastName": user.get("lastName", "")}
    person |= {"secondName": user.get("SECOND_NAME") or "", "login": user.get("email", "")}
    return {name: row[name] for name in names} | {"user": person}
