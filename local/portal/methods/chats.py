"""Chats: who is in them, and how they look [api-reference/chats/]."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import Call, method, methods
from local.portal.chat_views import COLORS
from local.portal.chats import chat_of, chat_of_id, new_chat, no_access, say, table
from local.portal.errors import RestError
from local.portal.table import Row


def _users(call: Call) -> list[int]:
    """People of `USERS` who are there."""
    return [one for one in call.numbers("users") if one in call.portal.users]


@method("im.chat.add", "im")
def chat_add(call: Call) -> Any:
    """Open a chat with some people; the owner of the webhook is one of them."""
    more = {name: call.text(name) for name in ("title", "description") if call.get(name)}
    more |= {name: call.text(name) for name in ("entity_type", "entity_id")}
    more["kind"] = "O" if call.text("type").upper() == "OPEN" else "C"
    more |= {"color": COLORS[c]} if (c := call.text("color").upper()) in COLORS else {}
    chat = new_chat(call.portal, call.user, _users(call), **more)
    if call.get("message"):
        say(call.portal, chat, call.user, str(call.get("message")))
    return chat["id"]


@method("im.chat.get", "im")
def chat_get(call: Call) -> Any:
    """The chat of something outside the messenger."""
    wanted = (str(call.need("ENTITY_TYPE")), str(call.need("ENTITY_ID")))
    for chat in table(call.portal, "chat").walk():
        if all(wanted) and (chat.get("entity_type"), chat.get("entity_id")) == wanted:
            return {"ID": chat["id"]}
    return None


def _title(call: Call, chat: Row) -> None:
    chat["title"] = str(call.get("title"))


def _color(call: Call, chat: Row) -> None:
    color = COLORS.get(call.text("color").upper())
    if color is None:
        raise RestError("WRONG_COLOR", "This color currently unavailable")
    if color == chat["color"]:
        raise RestError("WRONG_REQUEST", "This color currently set or chat doesn't exist")
    chat["color"] = color


def _avatar(call: Call, chat: Row) -> None:
    if call.user not in chat["users"]:
        raise RestError("ACCESS_DENIED", "Access denied")
    avatar = call.get("avatar")
    if not isinstance(avatar, str) or (avatar and len(avatar) < len("iVBORw0KGgo=")):
        raise RestError("AVATAR_ERROR", "Avatar incorrect type")


def _owner(call: Call, chat: Row) -> None:
    user = call.number("user_id")
    if chat["owner"] != call.user or user not in chat["users"]:
        text = "Change owner can only owner and user must be member in chat"
        raise RestError("WRONG_REQUEST", text)
    chat["owner"] = user


def _mute(call: Call, chat: Row) -> None:
    chat["muted"] = _marked(chat["muted"], call.user, on=_flag(call, "mute"))


def _leave(call: Call, chat: Row) -> None:
    _kick(chat, call.user, "ACCESS_DENIED_KICK", "Access denied to kick user from chat")


def _kick(chat: Row, user: int, code: str, text: str) -> None:
    if user not in chat["users"]:
        raise RestError(code, text)
    chat["users"] = [one for one in chat["users"] if one != user]


def _join(call: Call, chat: Row) -> None:
    if call.user not in chat["users"]:
        text = "Insufficient permissions to add participants to the chat"
        raise RestError("ACCESS_DENIED_EXTEND", text)
    call.need("USERS")
    chat["users"] = sorted({*chat["users"], *_users(call)})


def _expel(call: Call, chat: Row) -> None:
    if chat["owner"] != call.user and not call.owner().get("admin"):
        text = "Insufficient rights to exclude participants from the chat"
        raise RestError("ACCESS_DENIED_KICK", text)
    _kick(chat, call.number("user_id"), "USER_NOT_FOUND", "The specified user is not in the chat")


def _flag(call: Call, name: str) -> bool:
    return call.get(name) is None or call.flag(name)


def _marked(users: list[int], user: int, *, on: bool) -> list[int]:
    return [one for one in users if one != user] + ([user] if on else [])


# What can't be done to the portal's own chat, which everybody is in
_FIXED: dict[Callable[[Call, Row], None], str] = {
    _title: "This chat cannot be renamed",
    _avatar: "The avatar of this chat cannot be changed",
    _join: "It is forbidden to add users to this chat",
} | dict.fromkeys((_leave, _expel), "It is forbidden to delete users of this chat")
_ABSENT: dict[Callable[[Call, Row], None], RestError] = {
    _mute: no_access("This chat cannot be muted"),
    _avatar: RestError("WRONG_REQUEST", "Chat doesn't exist"),
}


def _on_chat(do: Callable[[Call, Row], None], call: Call) -> Any:
    chat = chat_of_id(call, _ABSENT.get(do))
    if chat.get("entity_type") == "GENERAL" and do in _FIXED:
        raise no_access(_FIXED[do])
    if chat["kind"] == "P" and do is not _mute:
        raise no_access("Action unavailable")
    do(call, chat)
    return True


_ON_CHAT = {"updateTitle": _title, "updateColor": _color, "updateAvatar": _avatar, "mute": _mute}
_ON_CHAT |= {"setOwner": _owner, "leave": _leave, "user.add": _join, "user.delete": _expel}
methods("im", {f"im.chat.{name}": partial(_on_chat, do) for name, do in _ON_CHAT.items()})


_REFUSALS = {"pinned": (no_access("You don't have permission to pin this chat", 400),)}
_REFUSALS |= {"writing": (no_access("Action unavailable"),)}


def _mark(mark: str, parameter: str, call: Call) -> Any:
    """Mark a dialogue for the owner of the webhook: pinned, unread, hidden."""
    chat = chat_of(call, call.get("dialog_id"), *_REFUSALS.get(mark, ()))
    chat[mark] = _marked(chat[mark], call.user, on=not parameter or _flag(call, parameter))
    return True


_MARKS = {
    "im.recent.pin": ("pinned", "pin"),
    "im.recent.unread": ("unread", "action"),
    "im.recent.hide": ("hidden", ""),
    "im.dialog.writing": ("writing", ""),
}
methods("im", {name: partial(_mark, *what) for name, what in _MARKS.items()})
methods("im", {"im.chat.user.list": lambda call: chat_of_id(call)["users"]})
