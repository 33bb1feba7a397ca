"""Keys of items -> the parts of each that other methods return, in the requests of its own list.

A part that can't be read is None, never empty:
  refused          the right, the catalogue or the method is missing: the part is left unread
  anything else    the portal is busy or away: the item comes back with its hint
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from relay.kinds import kind_of
from relay.portal import PortalApi
from relay.tracking import steps
from relay.tracking.commands import PAGE, Item
from relay.tracking.part_chunks import Chunks, Found, chunks_of, fetch_together
from relay.tracking.part_rows import FETCH, weigh
from relay.tracking.parts import NOTHING, STEPS, PartsSetting
from relay.tracking.row import Base, Key
from relay.tracking.steps import Step, StepLog

STEP_ROOM = 1.25  # steps that an item may have made since it was read
# Steps that were told are not read again: of items with a few of them, and so many in a command.
FEW_TOLD, MOST_TOLD = 2, 500


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
    """The parts of one item."""

    steps: list[Step] | None = None  # None: not read
    log: StepLog | None = None  # that the steps are compared with
    settled: int | None = None  # the kind's settled step before they were read
    rows: Mapping[str, list[Item]] = MappingProxyType({})  # of each part that was read


type PartViews = dict[Key, PartView | Exception]


async def fetch_parts(
    portal: PortalApi, bases: Mapping[Key, Base], added: Callable[[Key], bool], rules: PartRules
) -> PartViews:
    """Return the parts of each item, or the error for which its hint comes back.

    `added` says of an item whether it would be announced as added.
    """
    by_entity: dict[str, list[Key]] = defaultdict(list)
    for key in sorted(bases):
        by_entity[key.entity].append(key)
    # Before anything is read: what is settled meanwhile may not be in the answers.
    settled = {entity: rules.settled(entity) for entity in by_entity}
    wanted = {entity: rules.setting.of(entity) for entity in by_entity}
    logs: dict[Key, StepLog] = {}
    for key, base in bases.items():
        if STEPS in wanted[key.entity]:
            log = _log(base, settled[key.entity], added=added(key))
            logs |= {key: log} if log is not None else {}
    weights: dict[str, dict[Key, float]] = {STEPS: _weigh_steps(logs)}
    weights |= {part: {} for part in FETCH}
    for entity, keys in by_entity.items():
        for part in wanted[entity] & FETCH.keys():
            for key in keys:
                weights[part][key] = weigh(part, key, bases[key], rules.single_owners)
    pages = sum(-(-len(keys) // PAGE) for keys in by_entity.values())
    chunks = chunks_of(weights, pages)
    found_steps, found = await asyncio.gather(
        _fetch_steps(portal, logs, chunks[STEPS]),
        asyncio.gather(
            *(fetch(portal, chunks[part], rules.single_owners) for part, fetch in FETCH.items())
        ),
    )
    found_rows = dict(zip(FETCH, found, strict=True))
    views: PartViews = {}
    for key in bases:
        moves = found_steps.get(key)
        outcomes = {part: rows.get(key) for part, rows in found_rows.items()}
        errors = [one for one in (moves, *outcomes.values()) if isinstance(one, Exception)]
        if errors:
            views[key] = errors[0]
            continue
        read = {part: rows for part, rows in outcomes.items() if isinstance(rows, list)}
        steps_read = None if isinstance(moves, Exception) else moves
        views[key] = PartView(steps_read, logs.get(key), settled[key.entity], read)
    return views


def _log(base: Base, settled: int | None, *, added: bool) -> StepLog | None:
    """Return the log from which an item's steps are read; None where it is not known yet."""
    if base.step_log is not None:
        return base.step_log
    if added:
        return StepLog()  # from its first step on
    return None if settled is None else StepLog(settled)


def _weigh_steps(logs: Mapping[Key, StepLog]) -> dict[Key, float]:
    """Return how many steps of each item a command would read; a new item has its first."""
    # Together with items of like floors: a command reads from the lowest of them on.
    keys = sorted(logs, key=lambda key: (key.entity, logs[key].floor, key.id))
    return {
        key: 0 if log.floor and len(log.above) <= FEW_TOLD else len(log.above) + STEP_ROOM
        for key in keys
        for log in (logs[key],)
    }


async def _fetch_steps(
    portal: PortalApi, logs: Mapping[Key, StepLog], chunks: Chunks
) -> Found[Step]:
    """Return the rows of the stage history above the floor of each item's log."""

    async def fetch(chunk: list[Key]) -> Found[Step]:
        told = sorted(number for key in chunk for number in logs[key].above)[:MOST_TOLD]
        found = portal.list(
            steps.METHOD,
            entityTypeId=kind_of(chunk[0].entity).entity_type_id,
            filter={
                "@OWNER_ID": [key.id for key in chunk],
                ">ID": min(logs[key].floor for key in chunk),
                **({"!@ID": told} if told else {}),
            },
        )
        by_owner: dict[int, list[Step]] = defaultdict(list)
        async for row in found:
            by_owner[int(row["OWNER_ID"])].append(Step.of(row))
        return {key: by_owner[key.id] for key in chunk}

    return await fetch_together(fetch, chunks)
