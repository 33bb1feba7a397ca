"""Checklists, comments and elapsed time of tasks: what is special [api-reference/tasks/]."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import Call, method
from local.portal.chats import say, task_chat
from local.portal.errors import RestError
from local.portal.family import FAMILIES, Family
from local.portal.filters import FilterCompiler, compile_order
from local.portal.listing import PAGE, Page
from local.portal.php import entries, int_or_none
from local.portal.rows import find_row, hook, show, table_of
from local.portal.table import Row
from local.portal.task_history import note

_CHECKLIST, _ELAPSED = FAMILIES["task.checklistitem"], FAMILIES["task.elapseditem"]
_COMMENT = FAMILIES["task.commentitem"]
_ITEM = ("TASKID*", "ITEMID*")
_ACTIONS = {"UPDATE": "EDIT", "DELETE": "DEL"}


def _task(call: Call, family: str, number: Any, operation: str = "add") -> Row:
    row = call.portal.tasks.get(int_or_none(number) or 0)
    if row is None or not call.portal.may_read(call.user, 0, row):
        raise FAMILIES[family].error(operation, "denied" if row else "absent")
    return row


@hook("task.checklistitem", "check")
def check_item(call: Call, values: Row, old: Row | None) -> None:
    """A checklist is there from its first item on, which has no parent."""
    _task(call, "task.checklistitem", values["TASKID"], "update" if old else "add")
    if old is None and not values.get("SORT_INDEX"):
        table = call.portal.tables["task.checklistitem"]
        values["SORT_INDEX"] = sum(row["TASKID"] == values["TASKID"] for row in table.walk())
    if "MEMBERS" in values:
        people = call.portal.users
        values["MEMBERS"] = [
            {"ID": key, "TYPE": dict(entries(one)).get("TYPE", "A"), "PERSONAL_GENDER": ""}
            | {"NAME": people.get(int_or_none(key) or 0, {}).get("name", ""), "IMAGE": ""}
            | {"PERSONAL_PHOTO": "", "IS_COLLABER": False}
            for key, one in entries(values["MEMBERS"])
        ]
    if old is not None and "IS_COMPLETE" in values:
        _toggle(call, values, values["IS_COMPLETE"])


# Who may not see a task takes nothing from it
for _name in ("task.checklistitem", "task.elapseditem"):
    hook(_name, "deleting")(
        lambda call, row, name=_name: _task(call, name, row["TASKID"], "delete")
    )


def _note_item(what: str, call: Call, row: Row) -> None:
    values = ("", row["TITLE"]) if what == "CREATE" else (row["TITLE"], "")
    note(call.portal, row["TASKID"], call.user, f"CHECKLIST_ITEM_{what}", *values)


hook("task.checklistitem", "add")(partial(_note_item, "CREATE"))
hook("task.checklistitem", "delete")(partial(_note_item, "REMOVE"))


@hook("task.checklistitem", "where")
def may_list(call: Call, _given: Row) -> None:
    """Who may not see a task doesn't see its checklist."""
    _task(call, "task.checklistitem", call.get("taskid"), "list")


def _toggle(call: Call, row: Row, state: str) -> None:
    now = call.portal.clock.stamp()
    row |= {"IS_COMPLETE": state, "TOGGLED_BY": call.user, "TOGGLED_DATE": now}


def _set_complete(state: str, call: Call) -> bool:
    _toggle(call, find_row(call, _CHECKLIST, "update"), state)
    return True


def _move_after(call: Call) -> Any:
    row = find_row(call, _CHECKLIST, "update")
    _task(call, "task.checklistitem", row["TASKID"], "move")
    after = table_of(call, _CHECKLIST).get(call.number("afteritemid"))
    if after is None:
        raise _CHECKLIST.error("update", "missing")
    row["SORT_INDEX"] = after["SORT_INDEX"] + 1
    for one in table_of(call, _CHECKLIST).walk():
        later = one["TASKID"] == row["TASKID"] and one["SORT_INDEX"] >= row["SORT_INDEX"]
        if later and one is not row:
            one["SORT_INDEX"] += 1


@hook("task.commentitem", "check")
def check_comment(call: Call, values: Row, old: Row | None) -> None:
    """Number a comment among messages, and name its author."""
    _task(call, "task.commentitem", values["TASKID"])
    if old is None:
        call.portal.tables["task.commentitem"].last_id = call.portal.activity.next_message() - 1
        author = call.portal.users.get(values.get("AUTHOR_ID") or call.user, {})
        values["AUTHOR_NAME"] = f"{author.get('name', '')} {author.get('lastName', '')}".strip()
    if "UF_FORUM_MESSAGE_DOC" in values:
        numbers = [str(one).lstrip("n") for _, one in entries(values["UF_FORUM_MESSAGE_DOC"])]
        values["ATTACHED_OBJECTS"] = {number: _attached(call, number) for number in numbers}


def _attached(call: Call, number: str) -> Row:
    """A file of the disk as a comment shows it."""
    file = table_of(call, FAMILIES["disk.object"]).get(int_or_none(number) or 0)
    if file is None:
        raise RestError("ERROR_CORE", "File not found<br>")
    address = f"/bitrix/tools/disk/uf.php?attachedId={number}&ncc=1&action="
    shown = {"ATTACHMENT_ID": number, "NAME": file["NAME"], "FILE_ID": number}
    shown |= {"SIZE": str(file.get("SIZE", 0)), "DOWNLOAD_URL": f"{address}download"}
    return shown | {"VIEW_URL": f"{address}show"}


def _comment_event(action: str, call: Call, row: Row) -> None:
    """With the new card a comment lives in a chat: no id, and no event of what follows."""
    new, number = call.portal.settings.new_task_card, row["id"]
    if new and action != "ADD":
        return
    after: Row = {"ID": 0 if new else number, "TASK_ID": row["TASKID"], "MESSAGE_ID": number}
    if action != "ADD":
        after = {"ID": number, "TASK_ID": row["TASKID"], "ACTION": _ACTIONS[action]}
    before = "undefined" if action == "ADD" else {"ID": number, "TASK_ID": row["TASKID"]}
    data = {"FIELDS_BEFORE": before, "FIELDS_AFTER": after}
    data |= {"IS_ACCESSIBLE_BEFORE": "undefined", "IS_ACCESSIBLE_AFTER": "undefined"}
    call.portal.emit(f"ONTASKCOMMENT{action}", data, f"task_comment/{number}")


@hook("task.commentitem", "add")
def added_comment(call: Call, row: Row) -> None:
    """A comment is a write to its task, and a message of the task's chat."""
    task, author = call.portal.tasks.rows[row["TASKID"]], row.get("AUTHOR_ID") or call.user
    say(call.portal, task_chat(call.portal, task), author, row["POST_MESSAGE"], row["id"])
    note(call.portal, task["id"], author, "COMMENT", None, str(row["id"]))
    _comment_event("ADD", call, row)
    call.wrote(f"task/{row['TASKID']}", comment=row["POST_MESSAGE"][:200])


hook("task.commentitem", "update")(partial(_comment_event, "UPDATE"))
hook("task.commentitem", "delete")(partial(_comment_event, "DELETE"))


@hook("task.elapseditem", "check")
def check_elapsed(call: Call, values: Row, _old: Row | None) -> None:
    """Minutes follow from seconds."""
    _task(call, "task.elapseditem", values["TASKID"])
    if "SECONDS" in values:
        values["MINUTES"] = int(values["SECONDS"] or 0) // 60


def _elapsed_get(call: Call) -> Any:
    _task(call, "task.elapseditem", call.get("taskid"), "get")
    return [show(_ELAPSED, find_row(call, _ELAPSED, "get"))]


def _elapsed_list(call: Call) -> Page:
    """Order, filter, select and page, after the task or, with no task, alone."""
    values = [value for _, value in entries(call.params)]
    first = values.pop(0) if values and not isinstance(values[0], dict | list) else None
    task, maps = int_or_none(first), [one for one in values if isinstance(one, dict | list)]
    if len(maps) < len(values) or (first and task is None):
        raise _ELAPSED.error("list", "arguments")
    if task is not None:
        _task(call, "task.elapseditem", task, "list")
    order, given, select, more = [*maps, *([], [], [], [])][:4]
    test = FilterCompiler(call.portal, _ELAPSED, "classic").compile(given)
    rows = [row for row in table_of(call, _ELAPSED).walk() if task in (None, row["TASKID"])]
    rows = [row for row in rows if test is None or test(row)]
    for key, falling in reversed(compile_order(_ELAPSED, order, "classic")):
        rows.sort(key=lambda row: (row.get(key) is not None, row.get(key)), reverse=falling)
    total, pages = len(rows), dict(entries(dict(entries(more)).get("NAV_PARAMS")))
    size = min(int_or_none(pages.get("nPageSize")) or PAGE, PAGE)
    start = max((int_or_none(pages.get("iNumPage")) or 1) - 1, 0) * size
    rows = rows[start : start + size] if pages else rows
    names = {str(name).upper() for _, name in entries(select)} - {"*", ""}
    views = [show(_ELAPSED, row) for row in rows]
    return Page([{k: v for k, v in one.items() if k in (names or one)} for one in views], total)


def _allowed(family: Family, call: Call) -> Any:
    if not str(call.get("actionid")).isdigit():
        raise RestError("ERROR_CORE", "WRONG_ARGUMENTS")
    return bool(find_row(call, family, "isactionallowed"))


_SPECIAL: dict[str, tuple[Callable[[Call], Any], tuple[str, ...]]] = {
    "task.checklistitem.complete": (partial(_set_complete, "Y"), _ITEM),
    "task.checklistitem.renew": (partial(_set_complete, "N"), _ITEM),
    "task.checklistitem.moveafteritem": (_move_after, (*_ITEM, "AFTERITEMID*")),
    "task.elapseditem.get": (_elapsed_get, _ITEM),
    "task.elapseditem.getlist": (_elapsed_list, ()),
}
for _family in (_CHECKLIST, _COMMENT, _ELAPSED):
    _SPECIAL[f"{_family.name}.isactionallowed"] = partial(_allowed, _family), (*_ITEM, "ACTIONID*")
for _name, (_do, _order) in _SPECIAL.items():
    method(_name, "task", positional=_order)(_do)
