"""The latest change of an item that a reaction has handled: tells a change that comes too late."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from relay.aws_types import Item
from relay.change import Change
from relay.reaction.record import born
from relay.state_batch import StateBatch
from relay.state_table import CHECKPOINT_SECONDS
from relay.state_writes import Put


@dataclass(slots=True, eq=False)
class Newest:
    """The version handled last; `born` is the birth of the mirror's row, as versions begin anew."""

    key: str
    born: str = ""
    version: int = -1

    @classmethod
    def of(cls, key: str, item: Item | None) -> "Newest":
        """Return what a row says; without a row no change was handled."""
        return cls(key, item["born"]["S"], int(item["version"]["N"])) if item else cls(key)

    def is_after(self, change: Change) -> bool:
        """Return whether a later version than a change was handled."""
        return self.born == born(change) and self.version > change.version

    async def store(self, change: Change, batch: StateBatch) -> None:
        """Store that a change was handled, unless a later one was; raises StateError."""
        # Without a condition: one costs more than the rare older version that two copies leave.
        if self.born != born(change) or self.version < change.version:
            self.born, self.version = born(change), change.version
            await batch.write(self.key, self, _put)


def _put(rows: Sequence[Newest]) -> Put:
    (row, *_) = rows
    return Put(
        {
            "pk": {"S": row.key},
            "born": {"S": row.born},
            "version": {"N": str(row.version)},
            "expires": {"N": str(int(time.time() + CHECKPOINT_SECONDS))},
        }
    )
