"""Searches of the messenger, and what was searched for lately [api-reference/chats/search/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.chat_views import chat_view, person, recent_view, without
from local.portal.chats import chat_of, table
from local.portal.family import FAMILIES
from local.portal.listing import Page
from local.portal.methods.messenger_people import department_view, paged
from local.portal.rows import table_of

_DEPARTMENT = FAMILIES["department"]


def _phrase(call: Call) -> str:
    return str(call.get("find")).strip().casefold()


@method("im.search.user.list", "im")
def search_users(call: Call) -> Page:
    """People by a part of their names; an object by numbers, an empty list where nobody is."""
    text, users = _phrase(call), call.portal.users.values()
    views = [person(call.portal, user["id"]) for user in users if user["active"]]
    page = paged(call, [view for view in views if text in str(view["name"]).casefold()])
    page.result = {str(view["id"]): without(view, "person") for view in page.result} or []
    return page


@method("im.search.chat.list", "im")
def search_chats(call: Call) -> Page:
    """Chats by a part of their titles."""
    text = _phrase(call)
    chats = [one for one in table(call.portal, "chat").walk() if one["kind"] != "P"]
    views = [chat_view(call, one) for one in chats if text in one["title"].casefold()]
    views = [view | {"description": view["description"] or None} for view in views]
    return paged(call, [without(view, "found") for view in views])


@method("im.search.department.list", "im")
def search_departments(call: Call) -> Page:
    """Departments by a part of their names."""
    text = _phrase(call)
    rows = [row for row in table_of(call, _DEPARTMENT).walk() if text in row["NAME"].casefold()]
    return paged(call, [department_view(call, row) for row in rows])


def _last(call: Call) -> list[int]:
    found: list[int] = call.owner().setdefault("searched", [])
    return found


@method("im.search.last.get", "im")
def last_get(call: Call) -> Any:
    """What was searched for lately."""
    chats = [table(call.portal, "chat").rows[number] for number in _last(call)]
    names = ("id", "type", "avatar", "title")
    found, skipped = [], {"P": "skip_dialog"}
    chats = [one for one in chats if not call.flag(skipped.get(one["kind"], "skip_chat"))]
    for chat in chats:
        view = recent_view(call, chat)
        of_chat = {"chat": without(chat_view(call, chat), "searched")}
        subject = {"user": view["user"]} if view["type"] == "user" else of_chat
        found.append({name: view[name] for name in names} | subject)
    return found


@method("im.search.last.add", "im")
def last_add(call: Call) -> Any:
    """Remember what was searched for."""
    number = chat_of(call, call.get("dialog_id"))["id"]
    call.owner()["searched"] = [number, *(one for one in _last(call) if one != number)]
    return True


@method("im.search.last.delete", "im")
def last_delete(call: Call) -> Any:
    """Forget what was searched for."""
    number = chat_of(call, call.get("dialog_id"))["id"]
    call.owner()["searched"] = [one for one in _last(call) if one != number]
    return True


@method("im.disk.folder.get", "im")
def disk_folder(call: Call) -> Any:
    """The folder of a chat's files."""
    given = call.get("dialog_id") or f"chat{call.number('chat_id') or ''}"
    return {"ID": chat_of(call, given)["id"]}
