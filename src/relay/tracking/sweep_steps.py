"""The stage history as a hint of its own: moves that no version of an item has announced.

Each sweep lists the rows of the history above the id that was settled before. A row is settled
when it is so old that no row with a lower id can become visible any more. Until then it is listed
anew, and compared with the step log of its item's row.
"""

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from relay.errors import CallError, OperatorError
from relay.kinds import kind_of
from relay.portal import PortalApi
from relay.tracking.mirror import Mirror
from relay.tracking.parts import STEPS, PartsSetting
from relay.tracking.row import TOMBSTONE, Key, RowHead
from relay.tracking.steps import HISTORY_METHOD, Step
from relay.tracking.sweep_lists import epoch, is_refusal
from relay.tracking.sweep_state import SweepDocument

SETTLING_SECONDS = 300  # from the time of a row until it is visible, at most
AHEAD_SECONDS = 24 * 3600  # a time that is further ahead is of a clock that was put right since


class Move(NamedTuple):
    """A row of the history: an item and its step."""

    key: Key
    step: Step


@dataclass(slots=True, kw_only=True)
class StepHints:
    """The stage histories of one portal's kinds in one sweep."""

    portal: str
    client: PortalApi
    mirror: Mirror
    document: SweepDocument
    setting: PartsSetting
    grace_seconds: float
    errors: list[CallError]  # gets those of single kinds; errors of the whole portal are raised

    @property
    def _entities(self) -> list[str]:
        return [
            name
            for name, kind in self.document.kinds.items()
            if not kind.refused and not kind.steps_refused and STEPS in self.setting.of(name)
        ]

    async def begin(self, clock: Awaitable[datetime]) -> bool:
        """Note up to where the history of each new kind is settled; returns if any was noted."""
        kinds = self.document.kinds
        new = [name for name in self._entities if kinds[name].settled_step is None]
        newest = await asyncio.gather(*(self._read(name, None) for name in new))
        for name, moves in zip(new, newest, strict=True):
            if moves is not None:
                before = min((move.step.id for move in moves), default=1) - 1
                kinds[name].settled_step = self._settled(before, moves, await clock)
        return bool(new)

    async def read(self) -> dict[str, Sequence[Move]]:
        """Return by kind the moves above its settled step, in order; raises an OperatorError."""
        kinds = self.document.kinds
        names = [name for name in self._entities if kinds[name].settled_step is not None]
        found = await asyncio.gather(
            *(self._read(name, kinds[name].settled_step) for name in names)
        )
        return {name: moves for name, moves in zip(names, found, strict=True) if moves is not None}

    async def unannounced(
        self, moves: Sequence[Move], clock: datetime, hinted: Collection[int]
    ) -> list[int]:
        """Return the ids of a kind's items with moves that no version has announced.

        Moves that are as young as GraceSeconds are left to their events. `hinted` are ids that
        this sweep has hinted at already.
        """
        young = clock.timestamp() - self.grace_seconds
        old = [m for m in moves if not _is_since(young, m, clock) and m.key.id not in hinted]
        rows = await self.mirror.heads(sorted({move.key for move in old}))
        return sorted({m.key.id for m in old if not _is_done(rows.get(m.key), m.step)})

    def settle(self, entity: str, moves: Sequence[Move], clock: datetime) -> None:
        """Note up to which id the history is settled, once its hints are accepted."""
        kind = self.document.kinds[entity]
        kind.settled_step = self._settled(kind.settled_step or 0, moves, clock)

    def _settled(self, before: int, moves: Sequence[Move], clock: datetime) -> int:
        """Return the last id before the first move that is not settled."""
        limit = clock.timestamp() - SETTLING_SECONDS - self.grace_seconds
        for move in moves:
            if _is_since(limit, move, clock):
                break
            before = move.step.id
        return before

    async def _read(self, entity: str, after: int | None) -> list[Move] | None:
        """Return the moves after an id, or the newest for None; None where they can't be read."""
        number = kind_of(entity).entity_type_id
        try:
            if after is None:
                params: Mapping[str, object] = {"order": {"ID": "DESC"}, "start": -1}
                answer = await self.client.call(HISTORY_METHOD, entityTypeId=number, **params)
                rows = answer["items"]
            else:
                found = self.client.list(HISTORY_METHOD, entityTypeId=number, filter={">ID": after})
                rows = [row async for row in found]
        except CallError as error:
            if is_refusal(error):
                self.document.kinds[entity].steps_refused = True  # asked again within the hour
            elif isinstance(error, OperatorError):
                raise
            else:
                self.errors.append(error)  # the next sweep reads from the same id on
            return None
        items = (Key(self.portal, entity, int(row["OWNER_ID"])) for row in rows)
        moves = map(Move, items, map(Step.of, rows))
        return sorted(moves, key=lambda move: move.step.id)


def _is_since(limit: float, move: Move, clock: datetime) -> bool:
    """Say whether a move was made after a time; not if a clock that was far ahead dated it."""
    return limit < epoch(move.step.at) < clock.timestamp() + AHEAD_SECONDS


def _is_done(row: RowHead | None, step: Step) -> bool:
    """Say whether nobody has to read an item for a step."""
    # An item without a row is found by its id; a row without a log is filled quietly.
    if row is None or row.kind == TOMBSTONE or row.step_log is None:
        return True
    return row.step_log.has(step.id)
