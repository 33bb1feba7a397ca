"""Calendars and their events: who may, times, attendees [api-reference/calendar/]."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.portal.call import Call
from local.portal.errors import classic
from local.portal.family import FAMILIES
from local.portal.php import entries, int_or_none
from local.portal.rows import hook, table_of
from local.portal.table import Row

_EVENT = FAMILIES["calendar.event"]
DAY = 86400


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


def moment(call: Call, value: Any) -> datetime:
    """Read a time of a request."""
    try:
        return datetime.fromisoformat(call.portal.clock.parse(value))
    except ValueError:
        raise classic("Wrong date") from None


@hook("calendar.event", "check")
def check_event(call: Call, values: Row, old: Row | None) -> None:
    """Work out times in every form that an event shows, and who attends."""
    section = values.get("SECTION_ID")
    if section and table_of(call, FAMILIES["calendar.section"]).get(section) is None:
        text = "You specified an invalid calendar section ID or the user does not have access to it"
        raise classic(text)
    both = (old or {}) | values
    values |= {"SECT_ID": both.get("SECTION_ID"), "~DESCRIPTION": both.get("DESCRIPTION", "")}
    _set_times(call, values, old or {})
    _set_rest(call, values, old or {})


def _set_times(call: Call, values: Row, old: Row) -> None:
    for name in ("FROM", "TO"):
        given, seconds = values.get(f"DATE_{name}"), call.number(f"{name.lower()}_ts")
        if given or seconds:
            when = moment(call, given) if given else datetime.fromtimestamp(seconds, UTC)
            values[f"DATE_{name}"] = when.strftime("%m/%d/%Y %I:%M:%S %p").lower()
            values[f"DATE_{name}_TS_UTC"] = int(when.timestamp())
            values[f"DATE_{name}_FORMATTED"] = when.strftime("%a %b %d %Y %H:%M:%S")
    both = old | values
    values["DT_LENGTH"] = both.get("DATE_TO_TS_UTC", 0) - both.get("DATE_FROM_TS_UTC", 0)


def _set_rest(call: Call, values: Row, old: Row) -> None:
    if "ATTENDEES" in values:
        people = [int_or_none(v) or 0 for _, v in entries(values["ATTENDEES"])]
        values["ATTENDEES_CODES"] = [f"U{one}" for one in people]
        values["ATTENDEE_LIST"] = [{"id": one, "entryId": "0", "status": "Q"} for one in people]
        values["attendeesEntityList"] = [{"entityId": "user", "id": one} for one in people]
    if "MEETING" in values:
        given = {k.upper(): v for k, v in entries(values["MEETING"])}
        values["MEETING"] = _EVENT.defaults["MEETING"] | old.get("MEETING", {}) | given
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
    until = moment(call, given.get("UNTIL") or "2038-01-01")
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
    owner, sections = call.number("ownerid"), entries(call.get("section"))
    wanted = {int_or_none(one) for _, one in sections}
    kind, bounds = str(call.get("type")), [call.get("from"), call.get("to")]
    first, last = (moment(call, one).timestamp() if one else None for one in bounds)

    def test(row: Row) -> bool:
        if row["CAL_TYPE"] != kind or (owner and row.get("OWNER_ID") != owner):
            return False
        if wanted and row.get("SECTION_ID") not in wanted:
            return False
        early = first is not None and row["DATE_TO_TS_UTC"] < first
        return not early and (last is None or row["DATE_FROM_TS_UTC"] < last + DAY)

    return test
