"""Recent dialogues, what was said in them and what was read [api-reference/chats/]."""

from datetime import datetime
from typing import Any

from local.portal.call import Call, method, methods
from local.portal.chat_views import TEMPLATES, chat_view, message_view, person, recent_view, shown
from local.portal.chats import chat_of, chat_of_id, in_period, messages_of, moment, no_access, table
from local.portal.listing import Page
from local.portal.php import entries
from local.portal.table import Row

_LIMIT, _MOST, _FOUND = 20, 50, 200


def _recent(call: Call) -> list[Row]:
    chats = [c for c in table(call.portal, "chat").walk() if call.user in c["users"]]
    views = [recent_view(call, chat) for chat in chats if call.user not in chat["hidden"]]
    views.sort(key=lambda view: (view["pinned"], view["date_update"]), reverse=True)
    if call.flag("only_openlines"):
        return []
    skipped = {"chat": "skip_chat", "user": "skip_dialog"}
    since = moment(call, call.get("last_update", "last_sync_date")) or 0.0
    until = moment(call, call.get("last_message_date")) or float("inf")
    return [
        view
        for view in views
        if not call.flag(skipped[view["type"]])
        if since <= datetime.fromisoformat(view["date_update"]).timestamp() < until
        if view["counter"] or not call.flag("unread_only")
    ]


@method("im.recent.list", "im")
def recent_list(call: Call) -> Page:
    """Recent dialogues by pages; they are not counted."""
    views, offset = _recent(call), call.number("offset")
    end = offset + (call.number("limit") or _MOST)
    more = end < len(views)
    found: Row = {"items": views[offset:end], "hasMorePages": more, "hasMore": more}
    copilot: Row = {"chats": None, "messages": None, "roles": {}, "recommendedRoles": []}
    return Page(found | {"copilot": copilot, "messagesAutoDeleteConfigs": []}, -1)


@method("im.counters.get", "im")
def counters(call: Call) -> Any:
    """What is unread."""
    views = _recent(call)
    chats = {str(v["chat_id"]): v["counter"] for v in views if v["type"] == "chat" and v["counter"]}
    people = {str(v["id"]): v["counter"] for v in views if v["type"] == "user" and v["counter"]}
    notices = sum(
        row["user"] == call.user and not row.get("read")
        for row in call.portal.activity.notifications
    )
    number = sum(chats.values()) + sum(people.values())
    kinds = {"ALL": number + notices, "NOTIFY": notices, "CHAT": sum(chats.values()), "LINES": 0}
    kinds |= {"DIALOG": sum(people.values()), "MESSENGER": number}
    empty: Row = {name: [] for name in ("CHAT_MUTED", "CHAT_UNREAD", "LINES", "DIALOG_UNREAD")}
    return {"TYPE": kinds, "CHAT": chats or [], "DIALOG": people or []} | empty


@method("im.dialog.users.list", "im")
def dialog_users(call: Call) -> Page:
    """People in a chat, in full."""
    closed = [no_access("You don't have access to this chat")]
    is_chat = str(call.get("dialog_id")).startswith("chat")
    chat = chat_of(call, call.get("dialog_id"), *closed if is_chat else ())
    users = [one for one in chat["users"] if _is_shown(call, one)]
    offset, limit = call.number("offset"), call.number("limit") or _MOST
    more = offset + limit if offset + limit < len(users) else None
    views = [person(call.portal, user) for user in users[offset : offset + limit]]
    return Page(views, len(users), more)


def _is_shown(call: Call, user: int) -> bool:
    """Whether a page has somebody: those after the last one that was read, guests on demand."""
    external = call.portal.users.get(user, {}).get("external")
    return user > call.number("last_id") and not (external and call.flag("skip_external"))


@method("im.dialog.messages.get", "im")
def dialog_messages(call: Call) -> Any:
    """Messages of a chat: the newest, or those beside `LAST_ID` or `FIRST_ID`."""
    chat, last = chat_of(call, call.get("dialog_id")), call.number("last_id")
    rows = messages_of(call.portal, chat)
    limit = min(call.number("limit") or _LIMIT, _MOST)
    if call.get("first_id") is not None:
        rows = [row for row in rows if row["id"] > call.number("first_id")][-limit:]
    elif last:
        rows = [row for row in rows if row["id"] < last]
    rows = rows[:limit]
    users = sorted({row["author"] for row in rows})
    return {
        "chat_id": chat["id"],
        "messages": [message_view(row) for row in rows],
        "users": [person(call.portal, user) for user in users],
        "files": [],
    }


@method("im.dialog.messages.search", "im")
def dialog_search(call: Call) -> Any:
    """Messages of a chat that have a text."""
    refusal = no_access("You do not have access to this chat")
    rows = messages_of(call.portal, chat_of_id(call, refusal))
    text = call.text("search_message").casefold()
    rows = [row for row in rows if text in row["message"].casefold()]
    rows = [row for row in rows if in_period(call, row["time"], "date")]
    rising = str(dict(entries(call.get("order"))).get("ID", "DESC")).upper() == "ASC"
    last = call.number("last_id")
    if last:
        rows = [row for row in rows if (row["id"] > last if rising else row["id"] < last)]
    rows = rows[::-1] if rising else rows
    cut = rows[: min(call.number("limit") or _MOST, _FOUND)]
    views = [message_view(row) | shown(TEMPLATES["found_message"], row) for row in cut]
    people = [person(call.portal, one) for one in sorted({row["author"] for row in rows})]
    empty = ("files", "additionalMessages", "stickers", "reactions", "usersShort")
    found: Row = {name: [] for name in empty} | {"copilot": None}
    found["users"] = [{_camel(k): v for k, v in one.items()} for one in people]
    return found | {"tariffRestrictions": {"isHistoryLimitExceeded": False}, "messages": views}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@method("im.dialog.read", "im")
def dialog_read(call: Call) -> Any:
    """Read a chat as far as a message."""
    chat = chat_of(call, call.get("dialog_id"))
    messages = messages_of(call.portal, chat)
    last = call.number("message_id") or (messages[0]["id"] if messages else 0)
    chat["seen"][call.user] = max(last, chat["seen"].get(call.user, 0))
    view = chat_view(call, chat)
    names = {"dialogId": view["dialog_id"], "chatId": chat["id"], "lastId": view["last_id"]}
    return names | {"counter": view["counter"]}


@method("im.dialog.unread", "im")
def dialog_unread(call: Call) -> Any:
    """Let a chat be unread from a message on."""
    chat = chat_of(call, call.get("dialog_id"))
    chat["seen"][call.user] = call.number("message_id") - 1
    return True


@method("im.dialog.read.all", "im")
def dialog_read_all(call: Call) -> Any:
    """Read everything."""
    for chat in table(call.portal, "chat").walk():
        messages = messages_of(call.portal, chat)
        chat["seen"][call.user] = messages[0]["id"] if messages else 0
    return True


methods(
    "im",
    {
        "im.recent.get": _recent,
        "im.dialog.get": lambda call: chat_view(call, chat_of(call, call.get("dialog_id"))),
    },
)
