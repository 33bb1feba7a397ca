"""Matches the calls of a repeated run to the writes that the first run recorded."""

import asyncio
from collections import Counter
from typing import NamedTuple

from relay.errors import DivergedError, SiblingsPendingError
from relay.reaction.checkpoint import Checkpoint, Write

QUIET_SECONDS = 0.5  # without a call of the run, before a recorded write is given to another call
_pause = asyncio.sleep


class NeverCalled(NamedTuple):
    """A recorded method that the repeated run has not called where it calls another one."""

    method: str


def match(
    checkpoint: Checkpoint, claimed: set[Write], method: str, digest: str, *, quiet: bool
) -> Write | NeverCalled | None:
    """Return the recorded write that a call stands for; None for a new one.

    A call takes the write with its method and parameters. While there is none, but concurrent calls
    may still claim recorded writes, it has to wait: SiblingsPendingError is raised. Once the run is
    `quiet` it takes the first write of its method, whatever the parameters: the record wins.
    """
    left = [write for write in checkpoint.writes if write not in claimed]
    for write in left:
        if (write.method, write.digest) == (method, digest):
            return write
    if not left:
        return None
    if not quiet:
        raise SiblingsPendingError
    same = [write for write in left if write.method == method]
    return min(same, key=lambda write: write.number) if same else NeverCalled(left[0].method)


class Claims:
    """The recorded writes that the calls of one run have claimed so far.

    `under_way` counts the calls of the run, reads included; `closed` ends the waiting for siblings.
    `sent_back` says that an operator has sent the record back, so that another method is no error.
    """

    def __init__(self, checkpoint: Checkpoint, *, sent_back: bool) -> None:
        self.under_way = 0
        self.closed = False
        self._checkpoint = checkpoint
        self._sent_back = sent_back
        self._claimed: set[Write] = set()
        self._to_retry: dict[tuple[str, str], Write] = {}
        self._waiting: Counter[str] = Counter()  # calls that wait for siblings, by method
        self._steps = 0

    def call_started(self) -> None:
        """Count a call that begins."""
        self.under_way += 1
        self._steps += 1

    def call_ended(self) -> None:
        """Count a call that has ended."""
        self.under_way -= 1
        self._steps += 1

    async def find(self, method: str, digest: str) -> Write | None:
        """Return the recorded write that a call stands for; None for a new one.

        Raises DivergedError where the first run called another method.
        """
        kept = self._to_retry.pop((method, digest), None)
        if kept:
            return kept
        quiet = False
        while True:
            try:
                found = match(self._checkpoint, self._claimed, method, digest, quiet=quiet)
            except SiblingsPendingError:
                await self._until_quiet(method)
                quiet = True
                continue
            if not isinstance(found, NeverCalled):
                return found
            if found.method in self._waiting:
                await self._until_quiet(method)  # a sibling that waits too will claim it
                continue
            if self._sent_back:
                return None
            raise DivergedError(
                f"{method} is called where the first run called {found.method}; the writes of that "
                "run stay done; `make redrive` runs the reaction as it is now"
            )

    def claim(self, write: Write) -> None:
        """Claim a write for a call."""
        self._claimed.add(write)
        self._steps += 1

    def keep_for_retry(self, write: Write, digest: str) -> None:
        """Keep a write for a repeat of its call, which has no result yet.

        A reaction that catches the error and calls once more must not begin a second write.
        """
        self._to_retry[write.method, digest] = write

    def drop_intent(self, write: Write) -> None:
        """Remove the intent of a write that was not sent, or was refused."""
        if write in self._checkpoint.writes:
            self._checkpoint.writes.remove(write)
        self._claimed.discard(write)

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
            steps = None
            while steps != self._steps or self.under_way:
                steps = self._steps
                await _pause(QUIET_SECONDS)
                if self.closed:
                    raise asyncio.CancelledError
        finally:
            self.under_way += 1
            self._waiting[method] -= 1
            self._waiting += Counter()  # removes methods that count 0
