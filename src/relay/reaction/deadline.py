"""The end of the time that the reactions of one invocation have."""

import asyncio
import signal
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from relay.errors import HungError

# Of the function's time, kept to store results and to hand back unfinished records.
RESERVE_SECONDS = 2.0
GRACE_SECONDS = 0.2  # for a reaction that was cancelled


class Deadline:
    """The time until which the reactions of an invocation may run."""

    def __init__(self, reaction: str) -> None:
        self._reaction = reaction
        self._end = float("inf")  # monotonic

    def begin(self, seconds: float) -> None:
        """Begin an invocation for which the function has these seconds."""
        self._end = time.monotonic() + seconds - RESERVE_SECONDS

    def remaining_seconds(self) -> float:
        """Return how long a reaction may still run."""
        return max(self._end - time.monotonic(), 0)

    async def wait(self, tasks: Collection[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
        """Wait for all tasks until the deadline; return those that have not ended by then."""
        # A task that holds the thread is ended by HungError: no loop, and no cancellation, would
        # ever end it.
        if not tasks:
            return set()
        seconds = self.remaining_seconds()
        with self._alarm(seconds + GRACE_SECONDS):
            _, late = await asyncio.wait(tasks, timeout=seconds)
        return late

    @contextmanager
    def _alarm(self, seconds: float) -> Iterator[None]:
        def ring(*_: object) -> None:
            text = "holds the thread; waiting without `await` belongs into asyncio.to_thread"
            raise HungError(f"{self._reaction} {text}")

        if threading.current_thread() is not threading.main_thread():
            yield  # signals are the main thread's
            return
        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


async def cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks, and abandon those that ignore it for GRACE_SECONDS."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=GRACE_SECONDS)
