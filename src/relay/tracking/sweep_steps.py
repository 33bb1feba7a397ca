"""The stage history as a hint of its own: moves that no version of an item has told.

Each sweep lists the rows of the history above the id that was settled before. A row is settled
when it is so old that no row with a lower id can become visible any more. Until then it is listed
again, and known by the step log of its item's row.
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


class Move(NamedTuple):
    """A row of the history: the step, and the id of its item."""

    owner: int
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
        """Note where the history of each new kind begins to be told; returns if any was noted."""
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
        known = {
            name: after
            for name in self._entities
            if (after := kinds[name].settled_step) is not None
        }
        found = await asyncio.gather(*(self._read(name, after) for name, after in known.items()))
        return {name: moves for name, moves in zip(known, found, strict=True) if moves is not None}

    async def untold(
        self, entity: str, moves: Sequence[Move], clock: datetime, hinted: Collection[int]
    ) -> list[int]:
        """Return the ids of a kind's items with moves that their rows do not know.

        Moves that are as young as GraceSeconds are left to their events. `hinted` are ids that
        this sweep has hinted at already.
        """
        young = clock.timestamp() - self.grace_seconds
        old = [m for m in moves if epoch(m.step.at) <= young and m.owner not in hinted]
        keys = {Key(self.portal, entity, move.owner) for move in old}
        rows = await self.mirror.heads(sorted(keys)) if keys else {}
        return sorted(
            {
                move.owner
                for move in old
                if not _knows(rows.get(Key(self.portal, entity, move.owner)), move.step)
            }
        )

    def settle(self, entity: str, moves: Sequence[Move], clock: datetime) -> None:
        """Note up to which id the history is settled, once its hints are accepted."""
        kind = self.document.kinds[entity]
        kind.settled_step = self._settled(kind.settled_step or 0, moves, clock)

    def _settled(self, before: int, moves: Sequence[Move], clock: datetime) -> int:
        """Return the last id before the first move that is not settled."""
        limit = clock.timestamp() - SETTLING_SECONDS - self.grace_seconds
        for move in moves:
            if epoch(move.step.at) > limit:
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
        moves = [Move(int(row["OWNER_ID"]), Step.of(row)) for row in rows]
        return sorted(moves, key=lambda move: move.step.id)


def _knows(row: RowHead | None, step: Step) -> bool:
    """Say whether nobody has to read an item for a step."""
    # An item without a row is found by its id; a row without a log is filled quietly.
    if row is None or row.kind == TOMBSTONE or row.step_log is None:
        return True
    return row.step_log.has(step.id)
