"""One record while its reaction runs, and how it ended."""

import asyncio
import time

from relay.errors import HungError, TransientError
from relay.reaction import deadline
from relay.reaction.batch_store import BatchStore, StoredRecord
from relay.reaction.record import Record


class RunningRecord:
    """A record of the batch; `stored` is None for a reaction of which nothing is stored."""

    def __init__(self, record: Record, stored: StoredRecord | None) -> None:
        self.record = record
        self.stored = stored
        self.is_handled = False
        self.error: Exception | None = None
        self._started_at: float | None = None  # monotonic
        self._storing: asyncio.Task[None] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the record is handled or has an error."""
        return self.is_handled or self.error is not None

    @property
    def is_storing(self) -> bool:
        """Whether storing is under way."""
        return self._storing is not None and not self._storing.done()

    def start(self) -> None:
        """Note that the reaction begins now."""
        self._started_at = time.monotonic()

    def end(self, error: Exception | None) -> None:
        """Note that the reaction has ended, well if `error` is None."""
        self.error, self.is_handled = error, error is None

    async def store(self, store: BatchStore | None) -> None:
        """Store how the record ended; the storing goes on if the caller is cancelled."""
        if store and self.stored:
            self._storing = asyncio.create_task(store.store(self.stored, self.error))
            await asyncio.shield(self._storing)

    async def stored_fully(self) -> None:
        """Wait until the storing that is under way has ended."""
        if self._storing:
            await asyncio.wait({self._storing})

    def late_error(self, reaction: str) -> Exception:
        """Return why a record is not done in time: it waits for something, or it hangs."""
        ran = time.monotonic() - self._started_at if self._started_at is not None else 0.0
        waits = self.stored is not None and self.stored.run.claims.under_way > 0
        # A reaction that ran for less than the reserve did not hang.
        if waits or ran < deadline.RESERVE_SECONDS:
            return TransientError(reaction, "NO_TIME", "the function's time is over", retry_after=0)
        return HungError(f"{reaction} did not return within {ran:.0f} s, and waits for no call")
