"""Equal calls of a robot on both sides of a window's edge: two events, one checkpoint.

Two copies of ingress may receive two clicks within ten seconds. A multiple of ten seconds on the
clock between them gives two events with two ids (relay.event.robot_call_id). Their checkpoints
would have two keys, so the later event takes the checkpoint of the earlier one. The first store of
a checkpoint decides which event is the earlier one: DynamoDB stores it only if no checkpoint of an
equal call within ten seconds exists (relay.reaction.lease). No row refers to another one.

What can happen, and why it does no harm (tests/integration/test_equal_calls.py tries it):
- Both load before either stores: the transaction of one fails with the other's row, and that run
  goes on with it, as a second delivery of one record does: it waits for the lease.
- Killed before the first store: nothing was sent, and the other event finds no row.
- Killed after it, at any point: the other event finds the row and a lease, and waits for its end.
  Whichever event is delivered next goes on with the recorded writes.
- Dead-lettered, and sent back after days: the checkpoint is kept for 30 days from its last store.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from relay.aws_types import Item
from relay.event import ROBOT_WINDOW_SECONDS, Event
from relay.state_table import checkpoint_key
from relay.state_writes import Check, Condition

WINDOW_MS = ROBOT_WINDOW_SECONDS * 1000


class EqualCalls(NamedTuple):
    """Where equal calls of a robot may have their checkpoint; `called_at` (ms) is this call's."""

    keys: tuple[str, ...] = ()  # none for any other record than a robot's event
    called_at: int = 0

    @classmethod
    def of(cls, reaction: str, event: Event) -> "EqualCalls":
        """Return those of an event."""
        if not event.adjacent_ids:
            return cls()
        try:
            called_at = round(datetime.fromisoformat(event.time).timestamp() * 1000)
        except ValueError:
            return cls()
        return cls(tuple(checkpoint_key(reaction, one) for one in event.adjacent_ids), called_at)

    def key_in(self, rows: Mapping[str, Item], own: str) -> str:
        """Return the key of a record's checkpoint: an equal call's if only that one has a row."""
        others = (key for key in self.keys if self._is_in(rows.get(key, {})))
        return own if own in rows else next(others, own)

    def checks(self) -> list[Check]:
        """Return what DynamoDB has to check: no equal call has a checkpoint."""
        early, late = self.called_at - WINDOW_MS, self.called_at + WINDOW_MS
        condition = Condition(
            "attribute_not_exists(called_at) OR called_at <= :early OR called_at >= :late",
            values={":early": {"N": str(early)}, ":late": {"N": str(late)}},
        )
        return [Check(key, condition) for key in self.keys]

    def _is_in(self, row: Item) -> bool:
        return "called_at" in row and abs(int(row["called_at"]["N"]) - self.called_at) < WINDOW_MS
