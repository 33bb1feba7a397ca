"""What hangs on a task in REST 3.0: results, files, rights, its chat [api-reference/tasks/]."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from local.portal.errors import RestError
from local.portal.methods.task_results import keep_result, results
from local.portal.php import int_or_none
from local.portal.table import Row, Table
from local.portal.v3_errors import (
    V3Error,
    check_type,
    denied,
    invalid,
    missing,
    unfilled,
    unknown_field,
)
from local.portal.v3_fields import field_methods
from local.portal.v3_query import Dto, read_list, read_select, selected
from local.portal.v3_tasks import V3Call
from local.portal.v3_view import BLANK

_STATES = ("open", "closed")
_RESULT = Dto("ResultDto", lambda row, name: _view(row)[name])


def _view(row: Row) -> Row:
    view = {name: row.get(key) for name, key in _RESULT.keys.items()}
    view |= {"status": _STATES[row["status"]], "fileIds": row["files"] or []}
    view |= {"rights": {"edit": True, "remove": True}, "messageId": row["commentId"] or None}
    return view | ({} if row.get("edited") else {"updatedAt": None})


def _fields(call: V3Call, *needed: str) -> Row:
    """The request's `fields`: those that are needed, filled and of their types."""
    fields = call.params.get("fields")
    if not isinstance(fields, dict):
        raise missing("fields")
    if "fileIds" in fields:
        raise unfilled("fileIds", "Field `fileIds` is not available for filling")
    for name in sorted(fields.keys() - {*needed}):
        raise unknown_field(name, _RESULT.name)
    for name in needed:
        if fields.get(name) in (None, ""):
            raise unfilled(name, f'The required field "{name}" is not filled')
        check_type(name, _RESULT.types[name], fields[name])
    return fields


def _task(call: V3Call, number: Any) -> Row:
    row = call.portal.tasks.get(number) if isinstance(number, int) else None
    if row is None or not call.portal.may_read(call.webhook.user, 0, row):
        raise denied()
    call.old("tasks.task.get", taskId=number, select=["ID"])
    return row


def _check_number(fields: Any) -> None:
    given = fields.get("taskId", 1) if isinstance(fields, dict) else 1
    if given is None or (isinstance(given, int) and given < 1):
        raise invalid(("taskId", f"Task id must be {'set' if given is None else 'positive'}"))


def _add(call: V3Call) -> Any:
    _check_number(call.params.get("fields"))
    fields = _fields(call, "taskId", "text")
    if call.portal.tasks.get(fields["taskId"]) is None:
        raise invalid(("taskId", "Task not found"))
    task = _task(call, fields["taskId"])
    made = keep_result(call.portal, call.webhook.user, task["id"], fields["text"])
    return {"item": _view(made)}


def _add_from_message(call: V3Call) -> Any:
    number = _fields(call, "messageId")["messageId"]
    try:
        made = call.old("tasks.task.result.addFromComment", commentId=number)
    except RestError as error:
        refusal = invalid(("messageId", "Message is not from task chat"))
        raise (denied() if "denied" in error.text else refusal) from error
    return {"item": _view(made)}


def _result(call: V3Call) -> Row:
    if ("id" in call.params) is ("filter" in call.params):
        both = "id" in call.params
        text = "Only one of the values must be provided" if both else "At least one is required"
        raise invalid(("id", f"{text}: `id`, `filter`"))
    row = results(call.portal).get(call.number())
    if row is None:
        raise denied()
    _task(call, row["taskId"])
    return row


def _update(call: V3Call) -> Any:
    row, fields = _result(call), _fields(call, "text")
    row |= {"text": fields["text"], "formattedText": fields["text"], "edited": True}
    row["updatedAt"] = call.portal.clock.stamp()
    return {"item": _view(row)}


def _delete(call: V3Call) -> Any:
    results(call.portal).pop(_result(call)["id"])
    return {"result": True}


def _list(call: V3Call) -> Any:
    given, select = call.params.get("filter"), read_select(call.params)
    for name in select or ():
        if name not in _RESULT.types:
            raise unknown_field(name, _RESULT.name)
    if not given:
        raise invalid(("filter", "The field value cannot be empty"))
    rows = read_list(_RESULT, call.params, results(call.portal).walk())
    tasks = [one[-1] for one in given if isinstance(one, list) and one[:1] == ["taskId"]]
    for number in tasks:
        if isinstance(number, int):
            _task(call, number)
    if not tasks:
        text = "A filter for the required field `taskId` must be specified"
        code = "VALIDATION_REQUESTFILTERVALIDATIONEXCEPTION"
        raise V3Error(code, text, HTTPStatus.BAD_REQUEST, ("filter.taskId", text))
    return {"items": [selected(_view(row), select) for row in rows]}


def _attach(call: V3Call) -> Any:
    """Attach files of the disk to a task."""
    for name in ("taskId", "fileIds"):
        if call.params.get(name) is None:
            raise missing(name)
        check_type(name, _RESULT.types[name], call.params[name])
    row = _task(call, call.params["taskId"])
    objects = call.portal.tables.get("disk.object", Table())
    if any(objects.get(int_or_none(one) or 0) is None for one in call.params["fileIds"]):
        raise V3Error("VALIDATION_REQUESTVALIDATIONEXCEPTION", "Insufficient permissions")
    files = [*row.get("ufTaskWebdavFiles", []), *(f"n{one}" for one in call.params["fileIds"])]
    call.old("tasks.task.update", taskId=row["id"], fields={"UF_TASK_WEBDAV_FILES": files})
    return {"result": True}


def _send(call: V3Call) -> Any:
    """Write to a task's chat, which holds its comments."""
    fields = _fields(call, "taskId", "text")
    task, text = _task(call, fields["taskId"])["id"], fields["text"]
    call.old("task.commentitem.add", TASKID=task, FIELDS={"POST_MESSAGE": text})
    return {"result": True}


def _access(call: V3Call) -> Any:
    _task(call, call.number())
    return BLANK["rights"]


RESULT_METHODS: dict[str, Callable[[V3Call], Any]] = {
    "tasks.task.result.add": _add,
    "tasks.task.result.addfromchatmessage": _add_from_message,
    "tasks.task.result.update": _update,
    "tasks.task.result.delete": _delete,
    "tasks.task.result.list": _list,
    "tasks.task.file.attach": _attach,
    "tasks.task.chat.message.send": _send,
    "tasks.task.access.get": _access,
}
for _name in ("tasks.task.access", "tasks.task.file", "tasks.task.chat.message"):
    RESULT_METHODS |= field_methods(_name, Dto(_name, dict.__getitem__).described())
