"""The listed items of a sweep beside the mirror's rows of the same ids, in bounded slices."""

from collections.abc import AsyncIterator, Mapping

from relay.tracking.mirror import Mirror
from relay.tracking.row import Key, RowHead
from relay.tracking.sweep_lists import Listed, Part
from relay.tracking.sweep_plan import CHANGED
from relay.tracking.sweep_state import ListJob


async def beside_rows(
    mirror: Mirror, portal: str, job: ListJob, part: Part
) -> AsyncIterator[tuple[Mapping[Key, Listed], Mapping[Key, RowHead]]]:
    """Yield items and rows; together they are all of a part of a list."""
    # A list that ends early, as an owner's who lost rights, has a million rows behind it.
    items = {Key(portal, job.entity, item.id): item for item in part.items}
    if job.mode == CHANGED:
        # Above it the list of new ids hints in any case.
        items = {key: item for key, item in items.items() if key.id <= job.up_to_id}
        yield items, await mirror.heads(list(items))
        return
    async for rows in mirror.range(portal, job.entity, job.after, part.last):
        last = max(rows)
        yield {key: item for key, item in items.items() if key <= last}, rows
        items = {key: item for key, item in items.items() if key > last}
    yield items, {}
