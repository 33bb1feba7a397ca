"""Matches the calls of a repeated run to the writes that the first run recorded."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from relay.errors import DivergedError
from relay.reaction.checkpoint import Checkpoint, Write

QUIET_SECONDS = 0.5  # without a call of the run, before a recorded write is given to another call
_pause = asyncio.sleep


def equal(writes: Iterable[Write], method: str, digest: str) -> Write | None:
    """Return the write with a call's method and parameters, None without one."""
    return next((one for one in writes if (one.method, one.digest) == (method, digest)), None)


def first(writes: Iterable[Write], method: str) -> Write | None:
    """Return the first write of a method, whatever its parameters; None without one."""
    same = (one for one in writes if one.method == method)
    return min(same, key=lambda write: write.number, default=None)


class Claims:
    """The recorded writes that the calls of one run have claimed so far."""

    def __init__(self, checkpoint: Checkpoint, *, sent_back: bool) -> None:
        self.under_way = 0  # calls of the run, reads included
        self.closed = False  # ends the waiting for siblings
        self._checkpoint = checkpoint
        self._sent_back = sent_back  # by an operator: another method is no error
        self._claimed: set[Write] = set()
        self._to_retry: dict[tuple[str, str], Write] = {}
        self._waiting: Counter[str] = Counter()  # calls that wait for siblings, by method
        self._ended = 0  # calls of the run

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call as under way inside the block."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._ended += 1

    async def find(self, method: str, digest: str) -> Write | None:
        """Return the recorded write that a call stands for; None for a new one.

        A call takes the write with its method and parameters. While there is none, but concurrent
        calls may still claim recorded writes, it waits. Then it takes the first write of its
        method, whatever the parameters: the record wins. Raises DivergedError where the first run
        called another method.
        """
        kept = self._to_retry.pop((method, digest), None)
        if kept:
            return kept
        quiet = False
        while True:
            left = [write for write in self._checkpoint.writes if write not in self._claimed]
            found = equal(left, method, digest) or (first(left, method) if quiet else None)
            if found or not left:
                return found
            never_called = left[0].method
            # A sibling that waits too will claim it.
            if quiet and not self._waiting[never_called]:
                if self._sent_back:
                    return None
                raise DivergedError(
                    f"{method} is called where the first run called {never_called}; the writes of "
                    "that run stay done; `make redrive` runs the reaction as it is now"
                )
            await self._until_quiet(method)
            quiet = True

    def claim(self, write: Write) -> None:
        """Claim a write for a call."""
        self._claimed.add(write)

    def keep_for_retry(self, write: Write, digest: str) -> None:
        """Keep a write for a repeat of its call, which has no result yet."""
        # A reaction that catches the error and calls once more must not begin a second write.
        self._to_retry[write.method, digest] = write

    def drop_intent(self, write: Write) -> None:
        """Remove the intent of a write that was not sent, or was refused."""
        if write in self._checkpoint.writes:
            self._checkpoint.writes.remove(write)

    def switch_to(self, stored: Checkpoint) -> None:
        """Switch to the checkpoint that another run has stored; replayed writes stay claimed."""
        replayed = {
            (write.method, write.number)
            for write in self._claimed - {*self._to_retry.values()}
            if write.done
        }
        self._checkpoint.replace_with(stored)
        self._claimed = {
            write for write in self._checkpoint.writes if (write.method, write.number) in replayed
        }
        self._to_retry.clear()

    async def _until_quiet(self, method: str) -> None:
        """Wait until no call of the run is under way but those that wait here."""
        self.under_way -= 1
        self._waiting[method] += 1
        try:
            ended = None
            while ended != self._ended or self.under_way:
                ended = self._ended
                await _pause(QUIET_SECONDS)
                if self.closed:
                    raise asyncio.CancelledError
        finally:
            self.under_way += 1
            self._waiting[method] -= 1
