"""Calendars: who is busy, who attends, how they look [api-reference/calendar/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import classic
from local.portal.family import FAMILIES
from local.portal.methods.calendar_events import DAY, moment
from local.portal.php import entries
from local.portal.rows import show, table_of
from local.portal.static import ANSWERS
from local.portal.table import Row

_EVENT = FAMILIES["calendar.event"]
_BUSY = {
    *("ID", "NAME", "DATE_FROM", "DATE_TO", "DATE_FROM_TS_UTC", "DATE_TO_TS_UTC", "TZ_FROM"),
    *("TZ_TO", "DT_SKIP_TIME", "ACCESSIBILITY", "IMPORTANCE", "EVENT_TYPE", "~USER_OFFSET_FROM"),
    "~USER_OFFSET_TO",
}


@method("calendar.event.get.nearest", "calendar")
def nearest(call: Call) -> Any:
    """Events of the next days."""
    now, days = call.portal.clock.now(), call.number("days") or 60
    rows = [row for row in table_of(call, _EVENT).walk() if row["DATE_TO_TS_UTC"] > now]
    rows = [row for row in rows if row["DATE_FROM_TS_UTC"] < now + days * DAY]
    kind = call.get("type")
    rows = [row for row in rows if kind is None or row["CAL_TYPE"] == kind]
    owner, mine = call.number("ownerid"), call.flag("forcurrentuser")
    rows = [row for row in rows if mine or not owner or row.get("OWNER_ID") == owner]
    rows.sort(key=lambda row: int(row["DATE_FROM_TS_UTC"]))
    return [show(_EVENT, row) for row in rows[: call.number("maxeventscount") or 75]]


@method("calendar.accessibility.get", "calendar")
def accessibility(call: Call) -> Any:
    """When people are busy."""
    first, last = (moment(call, call.get(name)).timestamp() for name in ("from", "to"))
    found: dict[str, list[Row]] = {str(v): [] for _, v in entries(call.get("users"))}
    for row in table_of(call, _EVENT).walk():
        people = {code.removeprefix("U") for code in row.get("ATTENDEES_CODES", [])}
        people |= {str(row.get("OWNER_ID"))} if row["CAL_TYPE"] == "user" else set()
        if row["DATE_TO_TS_UTC"] >= first and row["DATE_FROM_TS_UTC"] < last + DAY:
            view = {name: value for name, value in show(_EVENT, row).items() if name in _BUSY}
            for one in people & found.keys():
                found[one].append(view)
    return found


def _meeting(call: Call) -> Row:
    row = table_of(call, _EVENT).get(call.number("eventid"))
    if row is None:
        raise classic("An error occurred while retrieving the status")
    return row


@method("calendar.meeting.status.get", "calendar")
def status_get(call: Call) -> Any:
    """Whether the owner attends: Y, N, or Q for nothing said."""
    row = _meeting(call)
    return row.get("answers", {}).get(call.user, "Q")


@method("calendar.meeting.status.set", "calendar")
def status_set(call: Call) -> Any:
    """Say whether the owner attends."""
    row = _meeting(call)
    row["answers"] = row.get("answers", {}) | {call.user: call.get("status")}
    return True


@method("calendar.user.settings.get", "calendar")
def user_settings(call: Call) -> Any:
    """How the owner's calendar looks."""
    settings: Row = ANSWERS["calendar.user.settings.get"]["result"]
    own: Row = call.portal.cards.get(("calendar", str(call.user)), {})
    return settings | own


@method("calendar.user.settings.set", "calendar")
def set_user_settings(call: Call) -> Any:
    """Change how the owner's calendar looks."""
    given, key = call.get("settings"), ("calendar", str(call.user))
    call.portal.cards[key] = call.portal.cards.get(key, {}) | given
    return True


@method("calendar.resource.booking.list", "calendar")
def bookings(call: Call) -> Any:
    """Bookings of resources; nobody books here."""
    given = dict(entries(call.get("filter", default={})))
    if not given.get("resourceTypeIdList") and not given.get("resourceIdList"):
        text = "The required parameter \"filter['resourceTypeIdList']\" is not set"
        raise classic(f'{text} for the method "calendar.resource.booking.list"')
    return []
