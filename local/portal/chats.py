"""Chats, their messages and people as the messenger shows them [api-reference/chats/]."""

import json
import uuid
from typing import Any

from local.portal.call import Call
from local.portal.errors import RestError
from local.portal.php import int_or_none
from local.portal.portal import Portal
from local.portal.schema import DATA
from local.portal.table import Row, Table

TEMPLATES: dict[str, Row] = json.loads((DATA / "chats.json").read_text(encoding="utf-8"))
COLORS: dict[str, str] = TEMPLATES["colors"]
_STRANGER = RestError("ACCESS_ERROR", "You do not have access to the specified dialog", 403)


def table(portal: Portal, name: str) -> Table:
    """The chats or the messages of a portal."""
    return portal.tables.setdefault(f"im.{name}", Table())


def person(portal: Portal, number: int) -> Row:
    """Show somebody as the messenger does."""
    user = portal.users.get(number, {})
    name, last = user.get("name", ""), user.get("lastName", "")
    phones = {"work_phone": user.get("WORK_PHONE"), "personal_mobile": user.get("PERSONAL_MOBILE")}
    return TEMPLATES["user"] | {
        "id": number,
        "active": user.get("active", False),
        "name": f"{name} {last}".strip(),
        "first_name": name,
        "last_name": last,
        "work_position": user.get("position", ""),
        "gender": user.get("PERSONAL_GENDER") or "M",
        "extranet": user.get("external", False),
        "status": user.get("status", "online"),
        "idle": user.get("idle", False),
        "last_activity_date": user.get("changed", ""),
        "departments": user.get("departments", []),
        "phones": {key: value for key, value in phones.items() if value} or False,
        "email": user.get("email", ""),
    }


def new_chat(portal: Portal, owner: int, users: list[int], **more: Any) -> Row:
    """Open a chat; `kind` P is a dialogue of two."""
    chats = table(portal, "chat")
    number = chats.next_id()
    row: Row = {"id": number, "owner": owner, "users": sorted({owner, *users}), "kind": "C"}
    row |= {"created": portal.clock.stamp(), "color": "#3e99ce", "title": f"Chat #{number}"}
    row |= {"muted": [], "writing": [], "pinned": [], "hidden": [], "unread": [], "seen": {}}
    chats.put(number, row | more)
    return chats.rows[number]


def chat_of(call: Call, dialog: Any) -> Row:
    """The chat behind `chat5` or behind the number of a person; ACCESS_ERROR where none is."""
    text, portal = str(dialog or ""), call.portal
    if not text or isinstance(dialog, list | dict | bool):
        raise RestError("DIALOG_ID_EMPTY", "Dialog ID can't be empty")
    if text.startswith(("chat", "sg")):
        number = int_or_none(text.removeprefix("chat").removeprefix("sg"))
        row = table(portal, "chat").get(number or 0)
        if row is None or call.user not in row["users"]:
            raise _STRANGER
        return row
    other = int_or_none(text)
    if other is None:
        raise RestError("DIALOG_ID_EMPTY", "Dialog ID can't be empty")
    if other not in portal.users:
        raise _STRANGER
    users = sorted({call.user, other})
    chats = table(portal, "chat").walk()
    found = next((row for row in chats if row["kind"] == "P" and row["users"] == users), None)
    return found or new_chat(portal, call.user, users, kind="P")


def chat_of_id(call: Call) -> Row:
    """The chat of `CHAT_ID`, or of `DIALOG_ID` where that is given."""
    if call.get("dialog_id") is not None:
        return chat_of(call, call.get("dialog_id"))
    number = call.number("chat_id")
    if not number:
        raise RestError("CHAT_ID_EMPTY", "Chat ID can't be empty")
    row = table(call.portal, "chat").get(number)
    if row is None:
        raise RestError("ACCESS_ERROR", "Action unavailable", 403)
    return row


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


def chat_view(call: Call, chat: Row) -> Row:
    """Show a chat to the owner of the webhook."""
    messages = messages_of(call.portal, chat)
    last = messages[0]["id"] if messages else 0
    seen = chat["seen"].get(call.user, 0)
    return TEMPLATES["chat"] | {
        "id": chat["id"],
        "name": chat["title"],
        "description": chat.get("description", ""),
        "owner": chat["owner"],
        "color": chat["color"],
        "type": {"P": "private", "O": "open"}.get(chat["kind"], "chat"),
        "counter": sum(row["id"] > seen for row in messages),
        "user_counter": len(chat["users"]),
        "message_count": len(messages),
        "last_message_id": last,
        "last_id": seen,
        "entity_type": chat.get("entity_type", ""),
        "entity_id": chat.get("entity_id", ""),
        "mute_list": dict.fromkeys(map(str, chat["muted"]), True) or [],
        "date_create": chat["created"],
        "message_type": chat["kind"],
        "role": "owner" if chat["owner"] == call.user else "member",
        "manager_list": [chat["owner"]],
        "last_message_views": TEMPLATES["chat"]["last_message_views"] | {"message_id": last},
        "dialog_id": dialog_of(chat, call.user),
    }


def message_view(row: Row) -> Row:
    """Show a message."""
    likes = {"LIKE": row["likes"]} if row["likes"] else []
    return {
        "id": row["id"],
        "chat_id": row["chat"],
        "author_id": row["author"],
        "date": row["date"],
        "text": row["message"],
        "unread": False,
        "uuid": row["uuid"],
        "replaces": [],
        "params": likes,
        "disappearing_date": None,
    }


def recent_view(call: Call, chat: Row) -> Row:
    """Show a chat as one of the recent ones."""
    view, messages = chat_view(call, chat), messages_of(call.portal, chat)
    last = messages[0] if messages else None
    dialog = view["dialog_id"]
    private = chat["kind"] == "P"
    message = {"id": 0, "text": "", "file": False, "author_id": 0, "attach": False}
    if last is not None:
        message |= {"id": last["id"], "text": last["message"], "author_id": last["author"]}
    date = last["date"] if last else chat["created"]
    message |= {"sticker": None, "date": date, "status": "received"}
    item: Row = {
        "id": int(dialog) if private else dialog,
        "chat_id": chat["id"],
        "type": "user" if private else "chat",
        "avatar": {"url": "", "color": chat["color"]},
        "title": person(call.portal, int(dialog))["name"] if private else chat["title"],
        "message": message | {"uuid": last["uuid"] if last else None},
        "counter": view["counter"],
        "last_id": view["last_id"],
        "pinned": call.user in chat["pinned"],
        "unread": call.user in chat["unread"],
        "has_reminder": False,
        "date_update": date,
        "date_last_activity": date,
        "chat": view,
        "user": person(call.portal, int(dialog)) if private else {"id": 0},
        "options": [],
    }
    return item
