"""Keys of items -> the parts of each that other methods return, in the requests of its own list.

A part that can't be read is None, never empty:
  refused          the right, the catalogue or the method is missing: the part is left unread
  anything else    the portal is busy or away: the item comes back with its hint
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from relay.kinds import kind_of
from relay.portal import PortalApi
from relay.portal.api import Result
from relay.tracking.commands import PAGE
from relay.tracking.part_chunks import Chunk, Found, Outcome, by_item, chunks_of, fetch_together
from relay.tracking.part_rows import (
    Singles,
    fetch_contacts,
    fetch_products,
    fetch_requisites,
    weigh,
)
from relay.tracking.parts import (
    CONTACTS,
    FIELD_OF_PART,
    NOTHING,
    PRODUCTS,
    REQUISITES,
    STEPS,
    PartsSetting,
)
from relay.tracking.row import Key, RowHead
from relay.tracking.steps import HISTORY_METHOD, Step, StepLog, merge
from relay.tracking.sweep_state import SweepDocument

STEP_ROOM = 1.25  # steps that an item may have made since it was read
# Announced steps are left out of answers: of items with a few of them, and so many in a command.
FEW_ANNOUNCED, MOST_LEFT_OUT = 2, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that a reading depends on beside its hints."""

    document: SweepDocument
    allow: Callable[[int], int]  # of so many that vanished without an event, how many may be put
    grace_seconds: float = 0  # a vanished item is left to its event for so long
    setting: PartsSetting = NOTHING
    # By kind: until when one owner a command is asked for, in seconds of the monotonic clock.
    single_owners: Singles = field(default_factory=dict)
    count: Callable[[str, int], None] = lambda _metric, _number: None


class PartView(NamedTuple):
    """The parts of one item."""

    read: frozenset[str] = frozenset()  # their names
    refused: int = 0  # how many others were not read
    fields: Mapping[str, Result] = MappingProxyType({})  # that are set
    row_count: int | None = None  # of its product rows; None where they were not read
    steps: Sequence[Step] = ()  # that no version has announced
    step_log: StepLog | None = None  # once these steps are announced


type PartViews = dict[Key, PartView | Exception]


async def fetch_parts(
    portal: PortalApi, bases: Mapping[Key, RowHead], added: Callable[[Key], bool], rules: Rules
) -> PartViews:
    """Return the parts of each item, or the error for which its hint comes back.

    `added` says of an item whether it would be announced as added.
    """
    counts = Counter(key.entity for key in bases)
    # Before anything is read: what is settled meanwhile may not be in the answers.
    settled = {entity: rules.document.settled_step(entity) for entity in counts}
    wanted = {entity: rules.setting.of(entity) for entity in counts}
    logs: dict[Key, StepLog] = {}
    for key, base in bases.items():
        log = _log(base, settled[key.entity], added=added(key))
        if log is not None and STEPS in wanted[key.entity]:
            logs[key] = log
    fetch: dict[str, Callable[[Chunk], Awaitable[Found]]] = {
        STEPS: partial(_fetch_steps, portal, logs),
        PRODUCTS: partial(fetch_products, portal, rules.single_owners),
        REQUISITES: partial(fetch_requisites, portal),
        CONTACTS: partial(fetch_contacts, portal),
    }
    weights = {
        part: {
            key: weigh(part, key, bases[key], rules.single_owners)
            for key in sorted(bases)
            if part in wanted[key.entity]
        }
        for part in fetch
    }
    weights[STEPS] = _weigh_steps(logs)
    chunks = chunks_of(weights, commands=sum(-(-count // PAGE) for count in counts.values()))
    found = await asyncio.gather(*(fetch_together(fetch[part], chunks[part]) for part in fetch))
    views: PartViews = {}
    for key, base in bases.items():
        outcomes = {part: of[key] for part, of in zip(fetch, found, strict=True) if key in of}
        views[key] = _view(base, logs.get(key), settled[key.entity], outcomes)
    return views


def _view(
    base: RowHead, log: StepLog | None, settled: int | None, outcomes: Mapping[str, Outcome]
) -> PartView | Exception:
    """Return the parts of an item, whose steps were read from `log` on."""
    rows: dict[str, list[Result]] = {}
    for part, outcome in outcomes.items():
        if isinstance(outcome, Exception):
            return outcome
        if outcome is not None:
            rows[part] = outcome
    steps: Sequence[Step] = ()
    if log is not None and STEPS in rows:
        steps, log = merge(log, rows[STEPS], settled or 0)
    elif log is not None and settled is None:  # a later reading begins where this one would have
        log = base.step_log
    return PartView(
        read=frozenset(rows),
        refused=len(outcomes) - len(rows),
        fields={FIELD_OF_PART[part]: of for part, of in rows.items() if of and part != STEPS},
        row_count=len(rows[PRODUCTS]) if PRODUCTS in rows else None,
        steps=steps,
        step_log=log,
    )


def _log(base: RowHead, settled: int | None, *, added: bool) -> StepLog | None:
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
        key: 0 if log.floor and len(log.above) <= FEW_ANNOUNCED else len(log.above) + STEP_ROOM
        for key in keys
        for log in (logs[key],)
    }


async def _fetch_steps(portal: PortalApi, logs: Mapping[Key, StepLog], chunk: Chunk) -> Found:
    """Return the steps above the floor of each item's log."""
    announced = sorted(number for key in chunk for number in logs[key].above)[:MOST_LEFT_OUT]
    found = portal.list(
        HISTORY_METHOD,
        entityTypeId=kind_of(chunk[0].entity).entity_type_id,
        filter={
            "@OWNER_ID": [key.id for key in chunk],
            ">ID": min(logs[key].floor for key in chunk),
            **({"!@ID": announced} if announced else {}),
        },
    )
    rows = by_item(chunk, [row async for row in found], "OWNER_ID")
    return {key: list(map(Step.of, of_item)) for key, of_item in rows.items()}
