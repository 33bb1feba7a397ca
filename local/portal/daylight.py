"""The clock of the portal's server goes forward or back an hour, and what it answers then.

Read for facts [CORE rest/classes/general/rest_util.php, tasks/lib/rest/controllers/task.php]: a
day is its midnight plus the server's present offset, whichever day it is; each time of a task is
the stored one with the present offset. Both move in everything at once, and nothing is edited.
"""

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from local.portal.portal import Portal

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


def change_clocks(portal: Portal, hours: float) -> None:
    """Change the offset of the portal's zone by some hours."""
    change = timedelta(hours=hours)
    portal.clock.zone = timezone((portal.clock.zone.utcoffset(None) or timedelta()) + change)
    for number, entity in portal.types.items():
        days = [key for key, field in entity.fields.items() if field.type == "date"]
        for row in portal.items[number].walk():
            row |= {key: _moved(row[key], change) for key in days if row.get(key)}
    for row in portal.tasks.walk():
        row |= {key: _relabelled(value, portal.clock.zone) for key, value in row.items()}


def _moved(value: Any, change: timedelta) -> Any:
    if isinstance(value, list):
        return [_moved(one, change) for one in value]
    return (datetime.fromisoformat(value) + change).isoformat(timespec="seconds")


def _relabelled(value: Any, zone: timezone) -> Any:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return value
    return datetime.fromisoformat(value).replace(tzinfo=zone).isoformat(timespec="seconds")
