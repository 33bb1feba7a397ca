"""Notifications: reading, searching and answering them [api-reference/chats/notifications/]."""

from collections.abc import Callable
from typing import Any

from local.portal.call import Call, method
from local.portal.chat_views import TEMPLATES, person, shown
from local.portal.chats import in_period
from local.portal.errors import RestError
from local.portal.php import entries
from local.portal.portal import Portal
from local.portal.table import Row

_KINDS = {"personal": 2, "system": 4}
_SHORTEST = 3


def drop_notices(portal: Portal, fits: Callable[[Row], bool]) -> None:
    """Take away the notifications that fit."""
    for row in [one for one in portal.activity.notifications if fits(one)]:
        portal.activity.notifications.remove(row)


def _own(call: Call) -> list[Row]:
    rows = call.portal.activity.notifications
    return sorted((r for r in rows if r["user"] == call.user), key=lambda r: -r["id"])


def _view(call: Call, row: Row) -> Any:
    more = {"date": call.portal.clock.stamp(row["time"]), "type": _KINDS[row["kind"]]}
    return shown(TEMPLATES["notice"], row | more | {"mark": "Y" if row.get("read") else "N"})


def _shown(call: Call, rows: list[Row]) -> Row:
    last = call.number("last_id")
    rows = [row for row in rows if not last or row["id"] < last]
    rows = rows[: call.number("limit") or 50]
    authors = sorted({row["author"] for row in rows} - {0})
    return {
        "notifications": [_view(call, row) for row in rows],
        "users": [person(call.portal, one) for one in authors],
    }


@method("im.notify.get", "im")
def notify_get(call: Call) -> Any:
    """Notifications of the webhook's owner, the newest first."""
    if (call.get("last_id") is None) is not (call.get("last_type") is None):
        text = "Parameters LAST_ID and LAST_TYPE should be used together."
        raise RestError("LAST_ID_AND_LAST_TYPE", text)
    rows = _own(call)
    unread = sum(not row.get("read") for row in rows)
    numbers = {"total_count": len(rows), "total_unread_count": unread, "chat_id": call.user}
    return numbers | _shown(call, rows)


@method("im.notify.history.search", "im")
def history_search(call: Call) -> Any:
    """Notifications with a text, of a kind or of a day."""
    text = call.text("search_text").casefold()
    conditions = {f"search_{one}" for one in ("type", "date", "types", "authors", "date_from")}
    if len(text) < _SHORTEST and conditions.isdisjoint(call.params):
        raise RestError("SEARCH_TEXT_ERROR", "SEARCH_TEXT can't be less than 3 symbols")
    kinds = {str(v) for _, v in entries(call.get("search_types"))}
    kinds |= {str(call.get("search_type"))} if call.get("search_type") else set()
    authors = call.numbers("search_authors")
    rows = [
        row
        for row in _own(call)
        if text in row["message"].casefold()
        and (not kinds or kinds & {"rest", "rest|rest_notify"})
        and (not authors or row["author"] in authors)
        and in_period(call, row["time"], "search_date")
    ]
    return {"chat_id": call.user, "total_results": len(rows)} | _shown(call, rows)


@method("im.notify.read.all", "im")
def read_all(call: Call) -> Any:
    """Read every notification."""
    for row in _own(call):
        row["read"] = True
    return {"result": True, "newCounter": 0}


@method("im.notify.read", "im")
def read(call: Call) -> Any:
    """Read one notification, or all up to it."""
    number, on = call.number("id"), call.get("action") is None or call.flag("action")
    only = call.flag("only_current")
    for row in _own(call):
        if row["id"] == number or (not only and row["id"] > number):
            row["read"] = on
    return True


@method("im.notify.read.list", "im")
def read_list(call: Call) -> Any:
    """Read some notifications."""
    for row in _own(call):
        if row["id"] in call.numbers("ids"):
            row["read"] = call.get("action") is None or call.flag("action")
    return True


@method("im.notify.delete", "im")
def delete(call: Call) -> Any:
    """Take a notification away, by its number or by its tag."""
    given = {"id": call.number("id"), "tag": call.text("tag"), "sub_tag": call.text("sub_tag")}
    if not any(given.values()):
        raise RestError("PARAMS_ERROR", "Incorrect params")
    drop_notices(call.portal, lambda row: any(v and row[k] == v for k, v in given.items()))
    return True
