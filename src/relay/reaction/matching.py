"""Which recorded write each call of a run is, and the waiting for siblings that this may take."""

import asyncio
from collections import Counter

from relay.errors import DivergedError, SiblingsPendingError
from relay.reaction.checkpoint import Row, Write, match

QUIET_SECONDS = 0.5  # without a call of the run, before a recorded write is given to another call
_pause = asyncio.sleep


class Claims:
    """The recorded writes that the calls of one run have taken so far.

    `under_way` counts its calls, reads too; `closed` ends what waits for siblings.
    """

    def __init__(self, row: Row, *, redriven: bool) -> None:
        self.under_way = 0
        self.closed = False
        self._row = row
        self._redriven = redriven
        self._claimed: set[Write] = set()
        self._again: dict[tuple[str, str], Write] = {}
        self._held: Counter[str] = Counter()
        self._steps = 0

    def moved(self, by: int) -> None:
        """Count a call that begins or ends."""
        self.under_way += by
        self._steps += 1

    async def find(self, method: str, digest: str) -> Write | None:
        """Return the recorded write that a call is; None if it is a new one.

        Raises DivergedError where the first run called something else.
        """
        again = self._again.pop((method, digest), None)
        if again:
            return again
        quiet = False
        while True:
            try:
                found = match(self._row, self._claimed, method, digest, quiet=quiet)
            except SiblingsPendingError:
                await self._until_quiet(method)
                quiet = True
                continue
            if isinstance(found, str) and found in self._held:
                await self._until_quiet(method)  # a sibling that waits too will take it
                continue
            if isinstance(found, str):
                if self._redriven:
                    return None
                raise DivergedError(
                    f"{method} is called where the first run called {found}; what that run did "
                    "stays done; `make redrive` does this too"
                )
            return found

    def take(self, write: Write) -> None:
        """Give a write to a call."""
        self._claimed.add(write)
        self._steps += 1

    def give_back(self, write: Write, digest: str) -> None:
        """Keep a write for a call that asks again: it has no result for who called yet.

        A reaction that catches the error and calls once more must not begin a second write.
        """
        self._again[write.method, digest] = write

    def forget(self, write: Write) -> None:
        """Take back an intent of what was not done."""
        if write in self._row.writes:
            self._row.writes.remove(write)
        self._claimed.discard(write)

    def take_over(self, stored: Row) -> None:
        """Go on with what is stored; what was replayed already stays claimed."""
        replayed = {
            (its.method, its.number) for its in self._claimed - {*self._again.values()} if its.done
        }
        self._row.take_over(stored)
        self._claimed = {its for its in self._row.writes if (its.method, its.number) in replayed}
        self._again.clear()

    async def _until_quiet(self, method: str) -> None:
        self.under_way -= 1  # what waits here is not what the others wait for
        self._held[method] += 1
        try:
            seen = None
            while seen != self._steps or self.under_way:
                seen = self._steps
                await _pause(QUIET_SECONDS)
                if self.closed:
                    raise asyncio.CancelledError
        finally:
            self.under_way += 1
            self._held[method] -= 1
            self._held += Counter()  # what is 0 is not in it
