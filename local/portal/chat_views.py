"""Chats, messages and people as the messenger shows them [api-reference/chats/]."""

import json
from typing import Any

from local.portal.call import Call
from local.portal.chats import dialog_of, messages_of
from local.portal.portal import Portal
from local.portal.schema import DATA
from local.portal.table import Row

TEMPLATES: dict[str, Row] = json.loads((DATA / "chats.json").read_text(encoding="utf-8"))
COLORS: dict[str, str] = TEMPLATES["colors"]


def shown(template: Any, row: Row) -> Any:
    """A template with what a row has in the place of each `$name`."""
    if isinstance(template, dict):
        return {name: shown(value, row) for name, value in template.items()}
    named = isinstance(template, str) and template[:1] == "$"
    return row.get(template[1:]) if named else template


def person(portal: Portal, number: int) -> Row:
    """Show somebody as the messenger does."""
    blank: Row = dict.fromkeys(("name", "lastName", "position", "changed", "email"), "")
    blank |= {"active": False, "external": False, "idle": False, "departments": []}
    user = blank | {"id": number, "status": "online"} | portal.users.get(number, {})
    names = ("WORK_PHONE", "PERSONAL_MOBILE", "PERSONAL_PHONE", "UF_PHONE_INNER")
    phones = {one.replace("UF_PHONE_INNER", "INNER_PHONE").lower(): user.get(one) for one in names}
    view: Row = shown(TEMPLATES["user"], user)
    view |= {"name": f"{user['name']} {user['lastName']}".strip()}
    view |= {"gender": user.get("PERSONAL_GENDER") or "M"}
    return view | {"phones": {key: value for key, value in phones.items() if value} or False}


def without(view: Row, kind: str) -> Row:
    """A chat or a person less what a kind of answer leaves out (`hidden` in data/chats.json)."""
    return {name: value for name, value in view.items() if name not in TEMPLATES["hidden"][kind]}


def _read_mark(portal: Portal, chat: Row, user: int) -> Row:
    """How far somebody has read a chat."""
    number, name = chat["seen"].get(user, 0), person(portal, user)["name"]
    return {"user_id": user, "user_name": name, "message_id": number, "date": None}


def chat_view(call: Call, chat: Row) -> Row:
    """Show a chat to the owner of the webhook."""
    messages = messages_of(call.portal, chat)
    last = messages[0]["id"] if messages else 0
    last_read = chat["seen"].get(call.user, 0)
    others = [user for user in chat["users"] if user != call.user]
    row = dict.fromkeys(("description", "entity_type", "entity_id"), "") | chat
    view: Row = shown(TEMPLATES["chat"], row)
    return view | {
        "type": {"P": "private", "O": "open"}.get(chat["kind"], "chat"),
        "counter": sum(row["id"] > last_read for row in messages),
        "user_counter": len(chat["users"]),
        "message_count": len(messages),
        "last_message_id": last,
        "last_id": last_read,
        "mute_list": dict.fromkeys(map(str, chat["muted"]), True) or [],
        "role": "owner" if chat["owner"] == call.user else "member",
        "manager_list": [chat["owner"]],
        "readed_list": [_read_mark(call.portal, chat, user) for user in others],
        "last_message_views": TEMPLATES["chat"]["last_message_views"] | {"message_id": last},
        "dialog_id": dialog_of(chat, call.user),
    }


def message_view(row: Row) -> Row:
    """Show a message."""
    view: Row = shown(TEMPLATES["message"], row)
    return view | ({"params": {"LIKE": row["likes"]}} if row["likes"] else {})


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
        "chat": without(view, "recent") | {"contains_collaber": False},
        "user": person(call.portal, int(dialog)) if private else {"id": 0},
        "options": [],
    }
    if private:
        item["chat"] = {n: view[n] for n in ("text_field_enabled", "background_id", "mute_list")}
    return item
