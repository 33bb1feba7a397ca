"""Calendars: times, attendees, and what a list is asked for [api-reference/calendar/]."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import classic
from local.portal.family import FAMILIES
from local.portal.php import entries, int_or_none
from local.portal.rows import hook, show, table_of
from local.portal.table import Row

_EVENT = FAMILIES["calendar.event"]
_DAY = 86400
_STATUSES = {"Y", "N", "Q"}
_BUSY = {
    *("ID", "NAME", "DATE_FROM", "DATE_TO", "DATE_FROM_TS_UTC", "DATE_TO_TS_UTC", "TZ_FROM"),
    *("TZ_TO", "DT_SKIP_TIME", "ACCESSIBILITY", "IMPORTANCE", "EVENT_TYPE", "~USER_OFFSET_FROM"),
    "~USER_OFFSET_TO",
}


@hook("calendar.resource", "before")
@hook("calendar.event", "before")
def staff_only(call: Call) -> None:
    """Guests of the portal have no calendars."""
    if call.owner().get("external"):
        raise classic("Access denied")


@hook("calendar.section", "before")
def own_calendar(call: Call) -> None:
    """A user's calendar is the caller's own where no owner is named."""
    staff_only(call)
    if str(call.get("type")) == "user" and call.get("ownerid") is None:
        call.params = {**call.params, "ownerid": call.user}


def _unset(call_name: str, name: str) -> Exception:
    return classic(f'The required parameter "{name}" for the method "{call_name}" is not set')


def _moment(call: Call, value: Any) -> datetime:
    try:
        return datetime.fromisoformat(call.portal.clock.parse(value))
    except ValueError:
        raise classic("Wrong date") from None


@hook("calendar.event", "check")
def check_event(call: Call, values: Row, old: Row | None) -> None:
    """Work out times in every form that an event shows, and who attends."""
    for name in ("type", "ownerId"):
        if call.get(name.lower()) is None:
            raise _unset(f"calendar.event.{'update' if old else 'add'}", name)
    for name in ("from", "to"):
        if old is None and not call.get(name, f"{name}_ts"):
            raise _unset("calendar.event.add", name)
    both = (old or {}) | values
    values |= {"SECT_ID": both.get("SECTION_ID"), "~DESCRIPTION": both.get("DESCRIPTION", "")}
    _set_times(call, values, old or {})
    _set_rest(call, values, both)


def _set_times(call: Call, values: Row, old: Row) -> None:
    for name in ("FROM", "TO"):
        given, seconds = values.get(f"DATE_{name}"), call.number(f"{name.lower()}_ts")
        if given or seconds:
            moment = _moment(call, given) if given else datetime.fromtimestamp(seconds, UTC)
            values[f"DATE_{name}"] = moment.strftime("%m/%d/%Y %I:%M:%S %p").lower()
            values[f"DATE_{name}_TS_UTC"] = int(moment.timestamp())
            values[f"DATE_{name}_FORMATTED"] = moment.strftime("%a %b %d %Y %H:%M:%S")
    both = old | values
    values["DT_LENGTH"] = both.get("DATE_TO_TS_UTC", 0) - both.get("DATE_FROM_TS_UTC", 0)


def _set_rest(call: Call, values: Row, both: Row) -> None:
    if "ATTENDEES" in values:
        people = [int_or_none(v) or 0 for _, v in entries(values["ATTENDEES"])]
        values["ATTENDEES_CODES"] = [f"U{one}" for one in people]
        values["ATTENDEE_LIST"] = [{"id": one, "entryId": "0", "status": "Q"} for one in people]
        values["attendeesEntityList"] = [{"entityId": "user", "id": one} for one in people]
    if "MEETING" in values:
        given = {k.upper(): v for k, v in entries(values["MEETING"])}
        values["MEETING"] = both.get("MEETING", {}) | _EVENT.defaults["MEETING"] | given
    if "RRULE" in values:
        values["RRULE"] = _rule(call, dict(entries(values["RRULE"])))
    if "CRM_FIELDS" in values:
        if not isinstance(values["CRM_FIELDS"], list | dict):
            raise classic("The list of event links to CRM must be an array")
        values["UF_CRM_CAL_EVENT"] = [str(v) for _, v in entries(values["CRM_FIELDS"])]


def _rule(call: Call, given: Row) -> Any:
    """How an event recurs; what has no end goes on until 2038."""
    if not given:
        return ""
    days = [str(day) for _, day in entries(given.get("BYDAY"))]
    until = _moment(call, given.get("UNTIL") or "2038-01-01")
    shown = until.strftime("%m/%d/%Y")
    ends = {"UNTIL": shown, "~UNTIL": shown, "UNTIL_TS": int(until.timestamp())}
    return (
        given
        | ends
        | {"INTERVAL": int_or_none(given.get("INTERVAL")) or 1}
        | ({"BYDAY": dict(zip(days, days, strict=True))} if days else {})
    )


@hook("calendar.event", "where")
def events_of(call: Call, _given: Row) -> Callable[[Row], bool]:
    """Events of a calendar, of its sections, in a time."""
    for name in ("type", "ownerId"):
        if call.get(name.lower()) is None:
            text = f'Mandatory parameter not specified "{name}" for the method "calendar.event.get"'
            raise classic(text)
    owner, sections = call.number("ownerid"), entries(call.get("section"))
    wanted = {int_or_none(one) for _, one in sections}
    kind, bounds = str(call.get("type")), [call.get("from"), call.get("to")]
    first, last = (_moment(call, one).timestamp() if one else None for one in bounds)

    def test(row: Row) -> bool:
        if row["CAL_TYPE"] != kind or (owner and row.get("OWNER_ID") != owner):
            return False
        if wanted and row.get("SECTION_ID") not in wanted:
            return False
        early = first is not None and row["DATE_TO_TS_UTC"] < first
        return not early and (last is None or row["DATE_FROM_TS_UTC"] < last + _DAY)

    return test


@method("calendar.event.get.nearest", "calendar")
def nearest(call: Call) -> Any:
    """Events of the next days."""
    now, days = call.portal.clock.now(), call.number("days") or 60
    rows = [row for row in table_of(call, _EVENT).walk() if row["DATE_TO_TS_UTC"] > now]
    rows = [row for row in rows if row["DATE_FROM_TS_UTC"] < now + days * _DAY]
    kind = call.get("type")
    rows = [row for row in rows if kind is None or row["CAL_TYPE"] == kind]
    rows.sort(key=lambda row: int(row["DATE_FROM_TS_UTC"]))
    return [show(_EVENT, row) for row in rows[: call.number("maxeventscount") or 75]]


@method("calendar.accessibility.get", "calendar")
def accessibility(call: Call) -> Any:
    """When people are busy."""
    for name in ("from", "to", "users"):
        if call.get(name) is None:
            raise _unset("calendar.accessibility.get", name)
    first, last = (_moment(call, call.get(name)).timestamp() for name in ("from", "to"))
    found: dict[str, list[Row]] = {str(v): [] for _, v in entries(call.get("users"))}
    for row in table_of(call, _EVENT).walk():
        people = {code.removeprefix("U") for code in row.get("ATTENDEES_CODES", [])}
        people |= {str(row.get("OWNER_ID"))} if row["CAL_TYPE"] == "user" else set()
        if row["DATE_TO_TS_UTC"] >= first and row["DATE_FROM_TS_UTC"] < last + _DAY:
            view = {name: value for name, value in show(_EVENT, row).items() if name in _BUSY}
            for one in people & found.keys():
                found[one].append(view)
    return found


def _meeting(call: Call, name: str) -> Row:
    if call.get("eventid") is None:
        raise _unset(name, "eventId")
    row = table_of(call, _EVENT).get(call.number("eventid"))
    if row is None:
        raise classic("An error occurred while retrieving the status")
    return row


@method("calendar.meeting.status.get", "calendar")
def status_get(call: Call) -> Any:
    """Whether the owner attends: Y, N, or Q for nothing said."""
    row = _meeting(call, "calendar.meeting.status.set")
    return row.get("answers", {}).get(call.user, "Q")


@method("calendar.meeting.status.set", "calendar")
def status_set(call: Call) -> Any:
    """Say whether the owner attends."""
    row = _meeting(call, "calendar.meeting.status.set")
    if str(call.get("status")) not in _STATUSES:
        raise _unset("calendar.meeting.status.set", "status")
    row["answers"] = row.get("answers", {}) | {call.user: call.get("status")}
    return True


@method("calendar.user.settings.get", "calendar")
def user_settings(call: Call) -> Any:
    """How the owner's calendar looks."""
    settings: Row = {"view": "month", "meetSection": "1", "crmSection": "1", "showDeclined": True}
    settings |= {"denyBusyInvitation": False, "collapseOffHours": "Y", "showWeekNumbers": "N"}
    settings |= {"showTasks": "Y", "syncTasks": "N", "showCompletedTasks": "N"}
    settings |= {"lastUsedSection": "false", "sendFromEmail": "", "defaultSections": {}}
    settings |= {"syncPeriodPast": "3", "syncPeriodFuture": "12", "timezoneName": "UTC"}
    settings |= {"defaultReminders": {"fullDay": [], "withTime": []}, "timezoneOffsetUTC": 0}
    settings |= {"timezoneDefaultName": "", "work_time_start": "9.00", "work_time_end": "19.00"}
    own: Row = call.portal.cards.get(("calendar", str(call.user)), {})
    return settings | own


@method("calendar.user.settings.set", "calendar")
def set_user_settings(call: Call) -> Any:
    """Change how the owner's calendar looks."""
    given = call.get("settings")
    if not isinstance(given, dict):
        raise _unset("calendar.user.settings.set", "settings")
    key = ("calendar", str(call.user))
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
