"""What a reaction keeps of an item: the latest change that it has handled, writes of this hour.

The version tells a change that comes too late. Writes that set no field, such as comments, are
counted here for the first half of their budget (relay.echo.ledger): the row is stored with the
change anyway. The rest is counted in the ledger, write by write, under a condition.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from relay.aws_types import Item, Value
from relay.change import Change
from relay.echo.ledger import BUDGET
from relay.reaction.record import born
from relay.state_batch import StateBatch
from relay.state_table import CHECKPOINT_SECONDS, HOUR_SECONDS
from relay.state_writes import Put

COUNTED_HERE = BUDGET // 2  # a loop that is not killed each time is counted whole


@dataclass(slots=True, eq=False)
class Newest:
    """The version handled last; `born` is the birth of the mirror's row, as versions begin anew.

    `writes` were counted in `hour` (hours since 1970).
    """

    key: str
    born: str = ""
    version: int = -1
    hour: int = 0
    writes: int = 0
    is_stored: bool = True

    @classmethod
    def of(cls, key: str, item: Item | None) -> "Newest":
        """Return what a row says; without a row no change was handled."""
        if not item:
            return cls(key)
        hour, writes = (int(item[name]["N"]) if name in item else 0 for name in ("hour", "writes"))
        return cls(key, item["born"]["S"], int(item["version"]["N"]), hour, writes)

    def writes_in(self, now: float) -> int:
        """Return how many writes are counted here of the hour of a time (epoch s)."""
        return self.writes if self.hour == int(now // HOUR_SECONDS) else 0

    def count(self, now: float) -> bool:
        """Count a write here; False where the ledger has to count it."""
        writes = self.writes_in(now)
        if writes >= COUNTED_HERE:
            return False
        self.hour, self.writes, self.is_stored = int(now // HOUR_SECONDS), writes + 1, False
        return True

    def take_back(self, writes: int) -> None:
        """Take back writes that were counted here and not sent."""
        self.writes -= min(writes, self.writes)  # a new hour has begun to count anew

    def is_after(self, change: Change) -> bool:
        """Return whether a later version than a change was handled."""
        return self.born == born(change) and self.version > change.version

    async def store(self, change: Change, batch: StateBatch, *, handled: bool) -> None:
        """Store that a change was handled, unless a later one was, and what was counted.

        Raises StateError.
        """
        if handled and (self.born != born(change) or self.version < change.version):
            self.born, self.version, self.is_stored = born(change), change.version, False
        # Without a condition: one costs more than the rare older version that two copies leave.
        if not self.is_stored:
            self.is_stored = True
            await batch.write(self.key, self, _put)


def _put(rows: Sequence[Newest]) -> Put:
    (row, *_) = rows
    item: dict[str, Value] = {
        "pk": {"S": row.key},
        "born": {"S": row.born},
        "version": {"N": str(row.version)},
        "expires": {"N": str(int(time.time() + CHECKPOINT_SECONDS))},
    }
    if row.writes:
        item |= {"hour": {"N": str(row.hour)}, "writes": {"N": str(row.writes)}}
    return Put(item)
