"""Values that move with the portal's clock, where its server has daylight saving time. Pure.

The portal spells a day with the offset of the present, whichever day it is
(`CRestUtil::ConvertDate`), and so each time of a task (`formatDateFieldsForOutput` of its
controller). When its clock changes they move in all items at once, and nobody edited one:

| value | is answered as | moves by |
|---|---|---|
| a day of an item | the portal's midnight plus its present offset | the change of the offset |
| a time of a task | the stored time minus the present offset | as much, the other way |
"""

import re
from datetime import datetime, timedelta

from relay.kinds import TASK
from relay.portal.api import Result
from relay.tracking.projection import Form

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")  # as the projection spells it
_MOST = timedelta(hours=2)  # that clocks change by
_DAY = timedelta(days=1)


def moved_with_clock(entity: str, before: Result, after: Result, change: timedelta) -> bool:
    """Say whether a field only followed a `change` of the offset of the portal's clock."""
    return bool(change) and abs(change) <= _MOST and moved(entity, before, change) == after


def moved_form(entity: str, form: Form, change: timedelta) -> Form:
    """Return an item's fields as the portal answers them after its clock has changed."""
    return {name: moved(entity, value, change) for name, value in form.items()}


def moved(entity: str, value: Result, change: timedelta) -> Result:
    """Return a value as the portal answers it after its clock has changed."""
    if isinstance(value, list):
        return [moved(entity, one, change) for one in value]
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return value
    try:
        time = datetime.fromisoformat(value)
        if entity == TASK:
            time -= change
        elif _is_day(time, abs(change)):
            time += change
    except (ValueError, OverflowError):
        return value
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_day(time: datetime, change: timedelta) -> bool:
    """Say whether a time may be a day: it is answered as midnight UTC, or as far from it."""
    since = timedelta(hours=time.hour, minutes=time.minute, seconds=time.second)
    return since in {timedelta(), change, _DAY - change}
