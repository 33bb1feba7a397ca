"""Working days: opened, paused and closed [api-reference/timeman/base/]."""

from datetime import datetime
from typing import Any

from local.portal.call import Call, method, methods
from local.portal.errors import RestError, classic
from local.portal.static import ANSWERS
from local.portal.table import Row

_DAY: Row = {"TIME_START": None, **ANSWERS["timeman.status"]["result"], "TIME_FINISH": None}


def _user(call: Call) -> Row:
    user: Row | None = call.portal.users.get(call.number("user_id") or call.user)
    if user is None:
        raise classic("User not found")
    return user


def _time(call: Call, day: str, text: str) -> str:
    """The time of the request, which must be of a day; now where it has none."""
    given = call.get("time")
    try:
        time = call.portal.clock.parse(given) if given else call.portal.clock.stamp()
    except ValueError:
        time = ""
    if not time or (given and time[:10] != day[:10]):
        raise RestError("WRONG_DATETIME", text)
    return time


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _set(call: Call, **values: Any) -> Row:
    user, end = _user(call), "CLOSE" if values["STATUS"] == "CLOSED" else "OPEN"
    offset = datetime.fromisoformat(call.portal.clock.stamp()).utcoffset()
    values["TZ_OFFSET"] = int(offset.total_seconds()) if offset else 0
    values |= {f"{one}_{end}": _number(call.get(one.lower())) for one in ("LAT", "LON")}
    user["workday"] = _DAY | user.get("workday", {}) | values
    return dict(user["workday"])


@method("timeman.status", "timeman")
def status(call: Call) -> Row:
    """Somebody's day; one that was opened before today has expired."""
    day: Row = _DAY | _user(call).get("workday", {})
    start = day["TIME_START"] or call.portal.clock.stamp()
    if day["STATUS"] != "CLOSED" and start[:10] < call.portal.clock.stamp()[:10]:
        day |= {"STATUS": "EXPIRED", "TIME_FINISH_DEFAULT": f"{start[:11]}17:00:00{start[19:]}"}
    return day


@method("timeman.open", "timeman")
def open_day(call: Call) -> Row:
    """Begin a day, or go on after a pause."""
    day = status(call)
    if day["STATUS"] == "PAUSED":
        if call.get("time"):
            raise RestError("TIME", "Unable to set time, work day is paused")
        return _set(call, STATUS="OPENED")
    text = "Day open date should correspond to the current date"
    start = _time(call, call.portal.clock.stamp(), text)
    return _set(call, STATUS="OPENED", TIME_START=start, TIME_FINISH=None)


@method("timeman.close", "timeman")
def close(call: Call) -> Row:
    """End a day."""
    start = status(call)["TIME_START"] or call.portal.clock.stamp()
    finish = _time(call, start, "Day close date should correspond to the day open date")
    worked = datetime.fromisoformat(finish) - datetime.fromisoformat(start)
    duration = str(worked).rpartition(" ")[2].rjust(8, "0")
    return _set(call, STATUS="CLOSED", TIME_START=start, TIME_FINISH=finish, DURATION=duration)


@method("timeman.settings", "timeman")
def settings(call: Call) -> Row:
    """What is asked of somebody's days."""
    return {**ANSWERS["timeman.settings"]["result"], "ADMIN": bool(_user(call).get("admin"))}


methods("timeman", {"timeman.pause": lambda call: _set(call, STATUS="PAUSED")})
