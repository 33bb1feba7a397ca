"""Keys of items -> the parts of each that other methods return, in the requests of its own list.

A part that can't be read is None, never empty:
  refused          the right, the catalogue or the method is missing: the part is left unread
  anything else    the portal is busy or away: the item comes back with its hint

Commands hold as many items as probably fill one page.
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
from relay.tracking.commands import Item
from relay.tracking.part_chunks import Found, chunks_of, fetch_together
from relay.tracking.part_rows import FETCH
from relay.tracking.parts import NOTHING, STEPS, PartsSetting
from relay.tracking.row import Base, Key
from relay.tracking.steps import Step, StepLog

STEP_ROOM = 1.25  # steps that an item may have made since it was read


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
    for key in bases:
        by_entity[key.entity].append(key)
    # Before anything is read: what is settled meanwhile may not be in the answers.
    settled = {entity: rules.settled(entity) for entity in by_entity}
    logs: dict[Key, StepLog] = {}
    by_part: dict[str, list[Key]] = {part: [] for part in FETCH}
    for entity, keys in by_entity.items():
        parts = rules.setting.of(entity)
        if STEPS in parts:
            start = settled[entity]
            begins = ((key, _log(bases[key], start, added=added(key))) for key in keys)
            logs |= {key: log for key, log in begins if log is not None}
        for part in parts & FETCH.keys():
            by_part[part] += keys
    found_steps, found = await asyncio.gather(
        _fetch_steps(portal, logs, bases),
        asyncio.gather(
            *(
                FETCH[part](portal, keys, bases, rules.single_owners)
                for part, keys in by_part.items()
            )
        ),
    )
    found_rows = dict(zip(by_part, found, strict=True))
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
