"""Clocks go forward or back an hour, and what the portal answers then.

Read for facts [CORE rest/classes/general/rest_util.php, tasks/lib/rest/controllers/task.php,
main/lib/type/datetime.php]. The server's clock: a day is its midnight plus the server's present
offset, whichever day it is; each time of a task is the stored one with the present offset. The
clock of the webhook's user, where it is not the server's: each time has the user's offset of then
and loses that of now. All values move at once, and nothing is edited.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from local.portal.portal import Portal

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


def change_clocks(portal: Portal, hours: float) -> None:
    """Change the offset of the portal's zone by some hours."""
    change = timedelta(hours=hours)
    zone = timezone((portal.clock.zone.utcoffset(None) or timedelta()) + change)
    portal.clock.zone = zone
    _change_items(portal, "date", lambda time: time + change)
    _change_tasks(portal, lambda time: time.replace(tzinfo=zone))


def change_users_clocks(portal: Portal, hours: float) -> None:
    """Change the offset of the users' zone by some hours; the server's stays."""
    change = timedelta(hours=hours)
    _change_items(portal, "datetime", lambda time: time - change)
    _change_tasks(portal, lambda time: time - change)


def _change_items(portal: Portal, kind: str, move: Callable[[datetime], datetime]) -> None:
    for number, entity in portal.types.items():
        names = [key for key, field in entity.fields.items() if field.type == kind]
        for row in portal.items[number].walk():
            row |= {key: _moved(row[key], move) for key in names if row.get(key)}


def _change_tasks(portal: Portal, move: Callable[[datetime], datetime]) -> None:
    for row in portal.tasks.walk():
        row |= {key: _moved(value, move) for key, value in row.items()}


def _moved(value: Any, move: Callable[[datetime], datetime]) -> Any:
    if isinstance(value, list):
        return [_moved(one, move) for one in value]
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return value
    return move(datetime.fromisoformat(value)).isoformat(timespec="seconds")
