"""Results of tasks: comments that somebody pinned as such [api-reference/tasks/result/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.methods.tasks import readable
from local.portal.php import int_or_none
from local.portal.rows import table_of
from local.portal.table import Row, Table

_COMMENT = FAMILIES["task.commentitem"]
_DENIED = RestError("0", "Access denied.")


def _number(call: Call, name: str) -> int:
    number = int_or_none(call.need(name))
    if number is None:
        text = f"Invalid value {{{call.get(name.lower())}}} to match with parameter {{{name}}}."
        raise RestError("100", f"{text} Should be value of type int.")
    return number


def _results(call: Call) -> Table:
    return call.portal.tables.setdefault("tasks.result", Table())


def _comment(call: Call) -> Row:
    """A comment of the owner's own, or any for an administrator."""
    row = table_of(call, _COMMENT).get(_number(call, "commentId"))
    if row is None:
        raise RestError("0", "Comment not found.")
    if row["AUTHOR_ID"] != call.user and not call.owner().get("admin"):
        raise _DENIED
    return row


def _of_comment(call: Call, comment: Row) -> Row | None:
    rows = _results(call).walk()
    return next((row for row in rows if row["commentId"] == comment["id"]), None)


@method("tasks.task.result.addFromComment", "task")
def add(call: Call) -> Any:
    """Make a comment a result of its task."""
    comment = _comment(call)
    if _of_comment(call, comment):
        raise RestError("0", "Result already exists.")
    number, now = _results(call).next_id(), call.portal.clock.stamp()
    row: Row = {"id": number, "taskId": comment["TASKID"], "commentId": comment["id"]}
    row |= {"createdBy": call.user, "createdAt": now, "updatedAt": now, "status": 0}
    text = comment["POST_MESSAGE"]
    _results(call).put(number, row | {"text": text, "formattedText": text, "files": None})
    return _results(call).rows[number]


@method("tasks.task.result.deleteFromComment", "task")
def delete(call: Call) -> Any:
    """Let a comment be no result any more."""
    row = _of_comment(call, _comment(call))
    if row is not None:
        _results(call).pop(row["id"])


@method("tasks.task.result.list", "task")
def list_results(call: Call) -> Any:
    """Results of a task, the newest first."""
    number = _number(call, "taskId")
    task = call.portal.tasks.get(number)
    if task is None or not readable(call, task):
        raise _DENIED
    rows = _results(call).walk_back()
    return [row | {"files": []} for row in rows if row["taskId"] == number]
