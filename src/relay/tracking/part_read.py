"""Keys of items -> the parts of each that other methods return, in the requests of its own list.

A part that can't be read is None, never empty:
  refused          the right, the catalogue or the method is missing: the part is left unread
  anything else    the portal is busy or away: the item comes back with its hint

Commands hold as many items as probably fill one page. `crm.item.productrow.list` takes an array of
owners, but its core then checks the right to item 1 alone (more-methods section 2): a webhook that
is refused so asks for one item a command, and for an hour does not try arrays again.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from relay.errors import PermanentError
from relay.kinds import kind_of
from relay.portal import PortalApi
from relay.tracking import steps
from relay.tracking.commands import PAGE, Item
from relay.tracking.part_chunks import Found, chunks_of, fetch_together
from relay.tracking.parts import NOTHING, PRODUCTS, STEPS, PartsSetting
from relay.tracking.row import Base, Key
from relay.tracking.steps import Step, StepLog

ROWS_METHOD = "crm.item.productrow.list"
# Rows that an item may have got since it was read. With 19 items a command, 1,000 deals that get
# their first five rows are read with four requests (bench.tracking).
STEP_ROOM = ROW_ROOM = 1.25
FIRST_ROW_ROOM = 2.6
SINGLE_SECONDS = 3600
_REFUSED_ARRAY = {"ACCESS_DENIED", "OWNER_NOT_FOUND"}


@dataclass(frozen=True, slots=True)
class PartRules:
    """Which parts are read, and what is known of a portal."""

    setting: PartsSetting = NOTHING
    # By kind: an id of the stage history up to which all rows were visible; None before it is
    # known.
    settled: Callable[[str], int | None] = lambda _entity: None
    # By kind: until when one owner a command is asked for, in seconds of the monotonic clock.
    single_owners: dict[str, float] = field(default_factory=dict)


class PartView(NamedTuple):
    """The parts of one item; None: not read."""

    steps: list[Step] | None = None
    log: StepLog | None = None  # that the steps are compared with
    settled: int | None = None  # the kind's settled step before they were read
    product_rows: list[Item] | None = None


type PartViews = dict[Key, PartView | Exception]


async def fetch_parts(
    portal: PortalApi, bases: Mapping[Key, Base], added: Callable[[Key], bool], rules: PartRules
) -> PartViews:
    """Return the parts of each item, or the error for which its hint comes back.

    `added` says of an item whether it would be announced as added.
    """
    by_entity: dict[str, list[Key]] = defaultdict(list)
    for key in bases:
        by_entity[key.entity].append(key)
    # Before anything is read: what is settled meanwhile may not be in the answers.
    settled = {entity: rules.settled(entity) for entity in by_entity}
    logs: dict[Key, StepLog] = {}
    with_products: list[Key] = []
    for entity, keys in by_entity.items():
        parts = rules.setting.of(entity)
        if STEPS in parts:
            start = settled[entity]
            begins = ((key, _log(bases[key], start, added=added(key))) for key in keys)
            logs |= {key: log for key, log in begins if log is not None}
        if PRODUCTS in parts:
            with_products += keys
    found_steps, found_rows = await asyncio.gather(
        _fetch_steps(portal, logs, bases), _fetch_rows(portal, with_products, bases, rules)
    )
    views: PartViews = {}
    for key in bases:
        moves, rows = found_steps.get(key), found_rows.get(key)
        if isinstance(moves, Exception):
            views[key] = moves
        elif isinstance(rows, Exception):
            views[key] = rows
        else:
            views[key] = PartView(moves, logs.get(key), settled[key.entity], rows)
    return views


def _log(base: Base, settled: int | None, *, added: bool) -> StepLog | None:
    """Return the log from which an item's steps are read; None where it is not known yet."""
    if base.step_log is not None:
        return base.step_log
    if added:
        return StepLog()  # from its first step on
    return None if settled is None else StepLog(settled)


async def _fetch_steps(
    portal: PortalApi, logs: Mapping[Key, StepLog], bases: Mapping[Key, Base]
) -> Found[Step]:
    """Return the rows of the stage history above the floor of each item's log."""
    # Together with items of like floors: a command reads from the lowest of them on.
    keys = sorted(logs, key=lambda key: (key.entity, logs[key].floor, key.id))

    def weight(key: Key) -> float:
        log = bases[key].step_log
        return 1 if log is None else len(log.above) + STEP_ROOM

    async def fetch(chunk: list[Key]) -> Found[Step]:
        rows = [
            row
            async for row in portal.list(
                steps.METHOD,
                entityTypeId=kind_of(chunk[0].entity).entity_type_id,
                filter={
                    "@OWNER_ID": [key.id for key in chunk],
                    ">ID": min(logs[key].floor for key in chunk),
                },
            )
        ]
        by_owner: dict[int, list[Step]] = defaultdict(list)
        for row in rows:
            by_owner[int(row["OWNER_ID"])].append(Step.of(row))
        return {key: by_owner[key.id] for key in chunk}

    return await fetch_together(fetch, chunks_of(keys, weight))


async def _fetch_rows(
    portal: PortalApi, keys: list[Key], bases: Mapping[Key, Base], rules: PartRules
) -> Found[Item]:
    """Return the product rows of each item."""
    singles = rules.single_owners

    def weight(key: Key) -> float:
        if singles.get(key.entity, 0) > time.monotonic():
            return PAGE
        count = bases[key].row_count
        if count is None:
            return 1
        return count + ROW_ROOM if count else FIRST_ROW_ROOM

    async def fetch(chunk: list[Key]) -> Found[Item]:
        ids = [key.id for key in chunk]
        owners = {
            "=ownerType": kind_of(chunk[0].entity).owner_code,
            "=ownerId": ids if len(ids) > 1 else ids[0],
        }
        try:
            rows = [row async for row in portal.list(ROWS_METHOD, filter=owners)]
        except PermanentError as error:
            if len(chunk) == 1 and error.code.upper() == "OWNER_NOT_FOUND":
                return {chunk[0]: []}
            if len(chunk) == 1 or error.code.upper() not in _REFUSED_ARRAY:
                raise
            if error.code.upper() == "ACCESS_DENIED":
                singles[chunk[0].entity] = time.monotonic() + SINGLE_SECONDS
            return await fetch_together(fetch, ([key] for key in chunk))
        by_owner: dict[int, list[Item]] = defaultdict(list)
        for row in rows:
            by_owner[int(row["ownerId"])].append(row)
        return {key: by_owner[key.id] for key in chunk}

    return await fetch_together(
        fetch, chunks_of(sorted(keys, key=lambda k: (k.entity, k.id)), weight)
    )
