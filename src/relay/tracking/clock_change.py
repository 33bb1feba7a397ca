"""Values that move when a clock changes for daylight saving time, and nobody edits them. Pure.

Two clocks count, the one of the portal's server and the one of the webhook's user:

  a day of an item   the server's midnight plus its present offset (`CRestUtil::ConvertDate`):
                     moves as the server's offset, which each row has
  a time of an item  as it is stored, plus the user's offset then, minus his present one
                     (`DateTime::toUserTime` since main 26.0.0, `CRestUtil::ConvertDateTime`);
                     that of a user field with `USE_TIMEZONE` N stays (`DatetimeField::cast`)
  a time of a task   as it is stored, minus the present offset of both
                     (`formatDateFieldsForOutput`)

All times that move in an item move alike. How far, its time of creation tells: in truth it never
changes.
"""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from relay.kinds import kind_of
from relay.portal.api import Result
from relay.tracking.projection import Form

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")  # as the projection spells it
_STAYED = timedelta()
_MOST = timedelta(hours=2)  # that clocks change by
_DAY = timedelta(days=1)


class Shift(NamedTuple):
    """How far days and times of an item moved without an edit."""

    days: timedelta = _STAYED
    times: timedelta = _STAYED


def shift_between(entity: str, before: Form, after: Form, clock: timedelta) -> Shift:
    """Return how far values moved between two readings; `clock`: by which the server's moved."""
    kind = kind_of(entity)
    one, other = (_time(form.get(kind.created_field)) for form in (before, after))
    times = other - one if one and other else _STAYED
    return Shift(
        clock if abs(clock) <= _MOST and kind.entity_type_id else _STAYED,
        times if abs(times) <= _MOST else _STAYED,
    )


def has_only_moved(before: Result, after: Result, shift: Shift) -> bool:
    """Say whether a value differs by a shift alone."""
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(
            one == other or has_only_moved(one, other, shift)
            for one, other in zip(before, after, strict=True)
        )
    one, other = _time(before), _time(after)
    if one is None or other is None:
        return False
    return other - one == shift.times or (_is_day(one, shift) and other - one == shift.days)


def moved_form(form: Form, shift: Shift, of_user_fields: Shift) -> Form:
    """Return an item's fields as the portal answers them after a shift."""
    return {
        name: _moved(value, of_user_fields if name.lower().startswith("uf") else shift)
        for name, value in form.items()
    }


def _moved(value: Result, shift: Shift) -> Result:
    if isinstance(value, list):
        return [_moved(one, shift) for one in value]
    time = _time(value)
    if time is None:
        return value
    try:
        time += shift.days if _is_day(time, shift) else shift.times
    except OverflowError:
        return value
    return time.isoformat().replace("+00:00", "Z")


def _time(value: Result) -> datetime | None:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _is_day(time: datetime, shift: Shift) -> bool:
    """Say whether a time may be a day: it is answered as midnight UTC, or as far from it."""
    since = timedelta(hours=time.hour, minutes=time.minute, seconds=time.second)
    return since in {_STAYED, abs(shift.days), _DAY - abs(shift.days)}
