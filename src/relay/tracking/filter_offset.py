"""How far a portal reads a time in a filter from the time that was sent.

`>=updatedTime` is read in the time zone of the webhook's owner, whatever offset is sent
(rest-protocol section 15). So one item is listed with many times in the filter: the latest time
with which it is still listed is as far from the item's time as the filter is off.
"""

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta

from relay.errors import ItemChangedError
from relay.kinds import ACTIVITY, TASK, kind_of
from relay.portal import PortalApi
from relay.tracking.commands import items_of, list_command
from relay.tracking.sweep_lists import Listed

HOUR_SECONDS = 3600
DAY_SECONDS = 24 * 3600
QUARTER_SECONDS = 900  # time zones differ by quarters of an hour
MOST_HOURS = 14  # time zones go from UTC-12 to UTC+14
UNKNOWN_SECONDS = -MOST_HOURS * HOUR_SECONDS


def time_filter_of(entity: str) -> str:
    """Return the name under which kinds that read times in a filter alike share an offset."""
    return entity if entity in {TASK, ACTIVITY} else "crm"


async def measure_daily(
    portal: PortalApi,
    sample: Mapping[str, tuple[str, Listed]],
    offsets: MutableMapping[str, tuple[int, float]],
    clock: datetime,
) -> None:
    """Measure the offsets that are a day old anew; `sample` has an item of a kind for each."""
    for name, (entity, item) in sample.items():
        # Measured "later" than a day from now was by a clock that has been put right since.
        if abs(clock.timestamp() - offsets.get(name, (0, 0.0))[1]) < DAY_SECONDS:
            continue
        updated = datetime.fromisoformat(item.updated).astimezone(clock.tzinfo)
        seconds = await measure(portal, entity, item.id, updated)
        if seconds is not None:
            offsets[name] = seconds, clock.timestamp()


async def measure(portal: PortalApi, entity: str, item_id: int, updated: datetime) -> int | None:
    """Return the seconds to add to a time in a filter; None if they can't be measured.

    `updated` is the item's time of change. The result is too early by up to a quarter of an hour.
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
    portal: PortalApi, entity: str, item_id: int, updated: datetime, offsets: Sequence[int]
) -> int | None:
    """Return the largest offset with which the item is listed, None if it never is."""
    listed = await asyncio.gather(
        *(_is_listed(portal, entity, item_id, updated, offset) for offset in offsets)
    )
    return max((offset for offset, yes in zip(offsets, listed, strict=True) if yes), default=None)


async def _is_listed(
    portal: PortalApi, entity: str, item_id: int, updated: datetime, offset: int
) -> bool:
    since = (updated + timedelta(seconds=offset)).isoformat()
    method, params = list_command(entity, ids=[item_id], since=since)
    items = items_of(entity, await portal.call(method, **params))
    if items and datetime.fromisoformat(items[0][kind_of(entity).updated_field]) != updated:
        raise ItemChangedError("changed while it was measured")
    return bool(items)
