"""A clock that jumps instead of waiting."""

import asyncio
import selectors


class Jumping(selectors.DefaultSelector):
    """Moves the clock by the time that an event loop would have slept."""

    clock = None

    def select(self, timeout=None):
        """Return what is ready at once; fails a test that would wait for ever."""
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "every coroutine waits, and there is no timer"
            self.clock.now += max(timeout, 0) + 1e-6
        return ready


class Clock:
    """The time of a test, in seconds."""

    def __init__(self):
        """Begin at an arbitrary time."""
        self.now = 1_000_000.0

    def time(self):
        """Return the time."""
        return self.now

    def run(self, coroutine):
        """Run a coroutine in a new event loop with this clock; return its result."""

        def make():
            selector = Jumping()
            selector.clock = self
            loop = asyncio.SelectorEventLoop(selector)
            loop.time = self.time
            return loop

        with asyncio.Runner(loop_factory=make) as runner:
            return runner.run(coroutine)
