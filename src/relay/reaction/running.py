"""One record while its reaction runs, and how it ended."""

import asyncio
import time
from dataclasses import dataclass

from relay.errors import HungError, TransientError
from relay.reaction import deadline
from relay.reaction.newest import Newest
from relay.reaction.record import Record
from relay.reaction.run import Run


@dataclass(slots=True, eq=False)
class RunningRecord:
    """A record of the batch; without `run` nothing is stored of it."""

    record: Record
    run: Run | None = None
    newest: Newest | None = None  # of its item, for a change
    started_at: float | None = None  # monotonic
    is_handled: bool = False
    error: Exception | None = None
    storing: asyncio.Task[None] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the record is handled or has an error."""
        return self.is_handled or self.error is not None

    def end(self, error: Exception | None) -> None:
        """Note that the reaction has ended, well if `error` is None."""
        self.error, self.is_handled = error, error is None

    def late_error(self, reaction: str) -> Exception:
        """Return why a record is not done in time: it waits for something, or it hangs."""
        ran = time.monotonic() - self.started_at if self.started_at is not None else 0.0
        waits = self.run is not None and self.run.claims.under_way > 0
        # A reaction that ran for less than the reserve did not hang.
        if waits or ran < deadline.RESERVE_SECONDS:
            return TransientError(reaction, "NO_TIME", "the function's time is over", retry_after=0)
        return HungError(f"{reaction} did not return within {ran:.0f} s, and waits for no call")
