"""Results of tasks: comments that somebody pinned as such [api-reference/tasks/result/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.methods.tasks import find_task
from local.portal.portal import Portal
from local.portal.rows import table_of
from local.portal.table import Row, Table

_COMMENT = FAMILIES["task.commentitem"]
_DENIED = RestError("0", "Access denied.")


def results(portal: Portal) -> Table:
    """The results of all tasks."""
    return portal.tables.setdefault("tasks.result", Table())


def keep_result(portal: Portal, user: int, task: int, text: str, comment: int = 0) -> Row:
    """Keep a new result of a task, made of a comment or of a text."""
    number, now = results(portal).next_id(), portal.clock.stamp()
    row: Row = {"id": number, "taskId": task, "commentId": comment, "createdBy": user}
    row |= {"createdAt": now, "updatedAt": now, "status": 0, "text": text}
    results(portal).put(number, row | {"formattedText": text, "files": None})
    return results(portal).rows[number]


def _comment(call: Call) -> Row:
    """A comment of the owner's own, or any for an administrator."""
    row = table_of(call, _COMMENT).get(call.number("commentid"))
    if row is None:
        raise RestError("0", "Comment not found.")
    if row["AUTHOR_ID"] != call.user and not call.owner().get("admin"):
        raise _DENIED
    return row


def _of_comment(call: Call, comment: Row) -> Row | None:
    rows = results(call.portal).walk()
    return next((row for row in rows if row["commentId"] == comment["id"]), None)


@method("tasks.task.result.addFromComment", "task")
def add(call: Call) -> Any:
    """Make a comment a result of its task."""
    comment = _comment(call)
    if _of_comment(call, comment):
        raise RestError("0", "Result already exists.")
    text, task = comment["POST_MESSAGE"], comment["TASKID"]
    return keep_result(call.portal, call.user, task, text, comment["id"])


@method("tasks.task.result.deleteFromComment", "task")
def delete(call: Call) -> Any:
    """Let a comment be no result any more."""
    row = _of_comment(call, _comment(call))
    if row is not None:
        results(call.portal).pop(row["id"])


@method("tasks.task.result.list", "task")
def list_results(call: Call) -> Any:
    """Results of a task, the newest first."""
    number = call.number("taskid")
    find_task(call, number, _DENIED)
    rows = results(call.portal).walk_back()
    return [row | {"files": []} for row in rows if row["taskId"] == number]
