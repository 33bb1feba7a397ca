"""Notifications and messages [api-reference/chats/]; none of these can be repeated harmlessly."""

from functools import partial
from typing import Any

from local.portal.call import Call, method, methods
from local.portal.chats import chat_of, no_access, say, table
from local.portal.errors import RestError
from local.portal.methods.notices import drop_notices
from local.portal.php import int_or_none
from local.portal.table import Row

_ATTACH_LIMIT = 60_000  # characters


def _notify(kind: str, call: Call) -> Any:
    user, message = call.number("user_id", "to"), call.text("message")
    _check_attach(call)
    portal = call.portal
    if user not in portal.users:
        return False
    tag = call.text("tag")
    if tag:  # replaces an earlier one with the same tag
        drop_notices(portal, lambda row: (row["user"], row["tag"]) == (user, tag))
    row = {
        "id": portal.activity.next_message(),
        "kind": kind,
        "user": user,
        "author": call.user if kind == "personal" else 0,
        "message": message,
        "tag": tag,
        "sub_tag": call.text("sub_tag"),
        "time": portal.clock.now(),
    }
    portal.activity.notifications.append(row)
    portal.revision += 1
    return row["id"]


def _check_attach(call: Call) -> None:
    attach = call.get("attach")
    if attach is None:
        return
    if not isinstance(attach, list | dict):
        raise RestError("ATTACH_ERROR", "Incorrect attach params")
    if len(str(attach)) > _ATTACH_LIMIT:
        raise RestError("ATTACH_OVERSIZE", "You have exceeded the maximum allowable size of attach")


def _check_beside(call: Call, chat: int, *, old: bool = False) -> None:
    """Buttons and menus are objects, and who answers does so within the chat."""
    for name in ("KEYBOARD", "MENU"):
        given = call.get(name.lower())
        code = "menu_ERROR" if name == "MENU" and old else f"{name}_ERROR"  # as the pages have it
        if given not in (None, "", "N") and not isinstance(given, list | dict):  # N takes them away
            raise RestError(code, f"Incorrect {name.lower()} params")
        if len(str(given)) > _ATTACH_LIMIT:
            text = f"You have exceeded the maximum allowable size of {name.lower()}"
            raise RestError(f"{name}_OVERSIZE", text)
    number = call.number("reply_id")
    row = table(call.portal, "message").get(number) if number else None
    if number and row is None:
        raise RestError("REPLY_ACCESS_ERROR", "Action unavailable")
    if row is not None and row["chat"] != chat:
        text = "You can only reply to a message within the same chat"
        raise RestError("REPLY_FROM_OTHER_CHAT_ERROR", text)


def _older(call: Call) -> Any:
    """The older spelling of both, which some clients still call."""
    return _notify("personal" if call.text("type").upper() == "USER" else "system", call)


_NOTIFY = {f"im.notify.{kind}.add": partial(_notify, kind) for kind in ("system", "personal")}
methods("im", _NOTIFY | {"im.notify": _older})


@method("im.message.add", "im")
def message_add(call: Call) -> Any:
    """Write to a chat or to a person."""
    dialog, text = call.text("dialog_id"), call.get("message")
    _check_attach(call)
    if (
        not dialog.startswith(("chat", "sg"))
        and (int_or_none(dialog) or 0) not in call.portal.users
    ):
        raise RestError("USER_NOT_FOUND", "User not found")
    if dialog.startswith(("chat", "sg")) and not dialog[-1:].isdigit():
        raise RestError("CHAT_ID", "Chat ID can't be empty")
    number = int_or_none(dialog.removeprefix("chat").removeprefix("sg"))
    absent = RestError("CANCELED", "Message was not added")  # [PY]
    there = table(call.portal, "chat").get(number or 0)
    chat = chat_of(call, dialog, no_access("Action unavailable") if there else absent)
    _check_beside(call, chat["id"])
    row = say(call.portal, chat, call.user, str(text or ""))
    row["dialog"] = dialog
    return row["id"]


def _message(call: Call, *, own: bool) -> Row:
    number = call.number("message_id")
    row = table(call.portal, "message").get(number)
    if not number or row is None:
        raise RestError("MESSAGE_ID_ERROR", "Message ID can't be empty")
    if own and row["author"] != call.user:
        text = "Time has expired for modification or you don't have access"
        raise RestError("CANT_EDIT_MESSAGE", text)
    return row


@method("im.message.update", "im")
def message_update(call: Call) -> Any:
    """Change what was said; an empty text deletes it."""
    row = _message(call, own=True)
    _check_attach(call)
    _check_beside(call, row["chat"], old=True)
    if call.get("message") is not None:
        row["message"] = str(call.get("message"))
    return True


@method("im.message.delete", "im")
def message_delete(call: Call) -> Any:
    """Take a message back."""
    table(call.portal, "message").pop(_message(call, own=True)["id"])
    return True


@method("im.message.like", "im")
def message_like(call: Call) -> Any:
    """Like a message, or no longer."""
    row, action = _message(call, own=False), call.text("action", "auto").lower()
    likes, liked = row["likes"], call.user in row["likes"]
    if (action == "plus" and liked) or (action == "minus" and not liked):
        raise RestError("WITHOUT_CHANGES", "Action completed without changes")
    row["likes"] = [u for u in likes if u != call.user] if liked else [*likes, call.user]
    return True


@method("im.message.share", "im")
def message_share(call: Call) -> Any:
    """Make a chat, a task, a post or an event of a message."""
    _message(call, own=False)
    chat_of(call, call.get("dialog_id"))
    return True


@method("im.message.command", "im")
def message_command(call: Call) -> Any:
    """Press a key of a bot; it is told nothing, as no bot is simulated."""
    _message(call, own=False)
    return True
