"""Notifications and messages [api-reference/chats/]; none of these can be repeated harmlessly."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.php import int_or_none

_ATTACH_LIMIT = 60_000  # characters


def _notify(call: Call, kind: str) -> Any:
    user, message = call.number("user_id", "to"), str(call.get("message", default="") or "")
    if not user:
        raise RestError("USER_ID_EMPTY", "User ID can't be empty")
    if not message.strip():
        raise RestError("MESSAGE_EMPTY", "Message can't be empty")
    _check_attach(call)
    portal = call.portal
    if user not in portal.users:
        return False
    tag = str(call.get("tag", default="") or "")
    if tag:  # replaces an earlier one with the same tag
        kept = [
            row for row in portal.activity.notifications if (row["user"], row["tag"]) != (user, tag)
        ]
        portal.activity.notifications.clear()
        portal.activity.notifications.extend(kept)
    row = {
        "id": portal.activity.next_message(),
        "kind": kind,
        "user": user,
        "author": call.user if kind == "personal" else 0,
        "message": message,
        "tag": tag,
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


@method("im.notify.system.add", "im")
def notify_system(call: Call) -> Any:
    """Notify somebody in the system's name."""
    return _notify(call, "system")


@method("im.notify.personal.add", "im")
def notify_personal(call: Call) -> Any:
    """Notify somebody in the owner's name."""
    return _notify(call, "personal")


@method("im.notify", "im")
def notify(call: Call) -> Any:
    """The older spelling of both, which some clients still call."""
    kind = "personal" if str(call.get("type", default="")).upper() == "USER" else "system"
    return _notify(call, kind)


@method("im.message.add", "im")
def message_add(call: Call) -> Any:
    """Write to a chat or to a person."""
    dialog, text = str(call.get("dialog_id", default="") or ""), call.get("message")
    if not dialog:
        raise RestError("USER_ID_EMPTY", "User ID can't be empty")
    if not str(text or "").strip() and call.get("attach") is None:
        raise RestError("MESSAGE_EMPTY", "Message can't be empty")
    _check_attach(call)
    portal = call.portal
    if dialog.startswith(("chat", "sg")):
        if int_or_none(dialog.removeprefix("chat").removeprefix("sg")) is None:
            raise RestError("CHAT_ID", "Chat ID can't be empty")
    elif (int_or_none(dialog) or 0) not in portal.users:
        raise RestError("USER_NOT_FOUND", "User not found")
    row = {
        "id": portal.activity.next_message(),
        "dialog": dialog,
        "author": call.user,
        "message": str(text or ""),
        "time": portal.clock.now(),
    }
    portal.activity.messages.append(row)
    return row["id"]
