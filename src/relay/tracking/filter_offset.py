"""How far a time in a filter is from the time that is meant.

`>=updatedTime` is read in the time zone of the webhook's owner, whatever offset is sent
(rest-protocol section 15), so the same item is asked for from many times on: the latest from
which it still comes is as far off as the filter is.
"""

import asyncio
from datetime import datetime, timedelta

from relay.errors import ItemChangedError
from relay.kinds import TASK, kind_of
from relay.portal import PortalApi
from relay.tracking.commands import items_of, list_command

HOUR_SECONDS = 3600
QUARTER_SECONDS = 900  # time zones differ by quarters of an hour
MOST_HOURS = 14  # time zones go from UTC-12 to UTC+14
UNKNOWN_SECONDS = -MOST_HOURS * HOUR_SECONDS


def time_filter_of(entity: str) -> str:
    """Return which kinds of items share a filter's reading of times."""
    return TASK if entity == TASK else "crm"


async def measure(portal: PortalApi, entity: str, item_id: int, updated: datetime) -> int | None:
    """Return the seconds that must be added to a time in a filter; None if it can't be seen.

    It errs to the early side, by less than a quarter of an hour.
    """
    hours = range(-MOST_HOURS, MOST_HOURS + 1)
    try:
        coarse = await _latest(portal, entity, item_id, updated, [h * HOUR_SECONDS for h in hours])
        if coarse is None:
            return None
        quarters = [coarse + quarter * QUARTER_SECONDS for quarter in range(4)]
        return await _latest(portal, entity, item_id, updated, quarters)
    except ItemChangedError:
        return None


async def _latest(
    portal: PortalApi, entity: str, item_id: int, updated: datetime, steps: list[int]
) -> int | None:
    found = await asyncio.gather(
        *(_comes(portal, entity, item_id, updated, step) for step in steps)
    )
    return max((step for step, comes in zip(steps, found, strict=True) if comes), default=None)


async def _comes(
    portal: PortalApi, entity: str, item_id: int, updated: datetime, step: int
) -> bool:
    since = (updated + timedelta(seconds=step)).isoformat()
    method, params = list_command(entity, ids=[item_id], since=since)
    items = items_of(entity, await portal.call(method, **params))
    if items and datetime.fromisoformat(items[0][kind_of(entity).updated_field]) != updated:
        raise ItemChangedError("changed while it was measured")
    return bool(items)
