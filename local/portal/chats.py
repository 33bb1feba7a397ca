"""Chats: how one is found and opened, and what is said in it [api-reference/chats/]."""

import uuid
from datetime import datetime
from typing import Any

from local.portal.call import Call
from local.portal.errors import RestError
from local.portal.php import int_or_none
from local.portal.portal import Portal
from local.portal.table import Row, Table


def no_access(text: str, status: int = 403) -> RestError:
    """A chat that the caller is not in, or that is not there."""
    return RestError("ACCESS_ERROR", text, status)


_STRANGER = no_access("You do not have access to the specified dialog")

_DAY = 86400


def table(portal: Portal, name: str) -> Table:
    """The chats or the messages of a portal."""
    return portal.tables.setdefault(f"im.{name}", Table())


def new_chat(portal: Portal, owner: int, users: list[int], **more: Any) -> Row:
    """Open a chat; `kind` P is a dialogue of two."""
    chats = table(portal, "chat")
    number = chats.next_id()
    row: Row = {"id": number, "owner": owner, "users": sorted({owner, *users}), "kind": "C"}
    row |= {"created": portal.clock.stamp(), "color": "#3e99ce", "title": f"Chat #{number}"}
    row |= {"muted": [], "writing": [], "pinned": [], "hidden": [], "unread": [], "seen": {}}
    chats.put(number, row | more)
    return chats.rows[number]


def task_chat(portal: Portal, task: Row) -> Row:
    """The chat of a task, opened when it is asked for first; its people are the task's."""
    people = (task["createdBy"], task["responsibleId"], *task.get("auditors", ()))
    users = {int_or_none(one) or 0 for one in (*people, *task.get("accomplices", ()))} - {0}
    names = {"entity_type": "TASKS_TASK", "entity_id": str(task["id"])}
    chats = table(portal, "chat").walk()
    chat = next((row for row in chats if names.items() <= row.items()), None)
    if chat is None:
        chat = new_chat(portal, int(task["createdBy"]), [], title=task["title"], **names)
    chat["users"] = sorted({*chat["users"], *users})
    return chat


def chat_of(call: Call, dialog: Any, refusal: RestError = _STRANGER) -> Row:
    """The chat behind `chat5` or behind the number of a person; the refusal where none is."""
    text, portal = str(dialog or ""), call.portal
    if not text or isinstance(dialog, list | dict | bool):
        raise RestError("DIALOG_ID_EMPTY", "Dialog ID can't be empty")
    if text.startswith(("chat", "sg")):
        number = int_or_none(text.removeprefix("chat").removeprefix("sg"))
        row = table(portal, "chat").get(number or 0)
        if row is None or call.user not in row["users"]:
            raise refusal
        return row
    other = int_or_none(text)
    if other is None:
        raise RestError("DIALOG_ID_EMPTY", "Dialog ID can't be empty")
    if other not in portal.users:
        raise refusal
    users = sorted({call.user, other})
    chats = table(portal, "chat").walk()
    found = next((row for row in chats if row["kind"] == "P" and row["users"] == users), None)
    return found or new_chat(portal, call.user, users, kind="P")


def chat_of_id(call: Call, refusal: RestError | None = None) -> Row:
    """The chat of `CHAT_ID`, or of `DIALOG_ID` where that is given."""
    if call.get("dialog_id") is not None:
        if not str(call.get("dialog_id")).startswith(("chat", "sg")):
            raise RestError("DIALOG_ID_EMPTY", "Dialog ID can't be empty")
        return chat_of(call, call.get("dialog_id"))
    number = call.number("chat_id")
    if not number:
        raise RestError("CHAT_ID_EMPTY", "Chat ID can't be empty")
    row = table(call.portal, "chat").get(number)
    if row is None:
        raise refusal or no_access("Action unavailable")
    return row


def moment(call: Call, value: Any) -> float | None:
    """Seconds since 1970 of a parameter, nothing where it is none."""
    try:
        return datetime.fromisoformat(call.portal.clock.parse(value)).timestamp()
    except (ValueError, TypeError):
        return None


def in_period(call: Call, seconds: float, name: str) -> bool:
    """Whether a time is of the day `name`, or from `name_from` to `name_to`."""
    day = moment(call, call.get(name))
    first, last = (moment(call, call.get(f"{name}_{end}")) for end in ("from", "to"))
    if day is not None:
        first, last = day, day + _DAY
    return (first is None or seconds >= first) and (last is None or seconds <= last)


def say(portal: Portal, chat: Row, author: int, text: str, number: int = 0) -> Row:
    """Put a message into a chat; it is unread for everybody else."""
    number = number or portal.activity.next_message()
    row: Row = {"id": number, "chat": chat["id"], "author": author, "message": text}
    row |= {
        "time": portal.clock.now(),
        "date": portal.clock.stamp(),
        "likes": [],
        "dialog": dialog_of(chat, author),
    }
    row["uuid"] = str(uuid.UUID(int=portal.random.getrandbits(128)))
    table(portal, "message").put(number, row)
    portal.activity.messages.append(row)
    chat["seen"][author] = number
    return row


def messages_of(portal: Portal, chat: Row) -> list[Row]:
    """A chat's messages, the newest first."""
    rows = table(portal, "message").walk_back()
    return [row for row in rows if row["chat"] == chat["id"]]


def dialog_of(chat: Row, user: int) -> str:
    """How a person calls the chat: by the other one's number, or by the chat's."""
    if chat["kind"] != "P":
        return f"chat{chat['id']}"
    return str(next((one for one in chat["users"] if one != user), user))
