"""How fast a command goes: RATE=5 is five a second at most."""

import time

from ops.stopping import Stop


class Pace:
    """Lets `rate` things a second go, whatever a step takes: what was missed is not caught up."""

    def __init__(self, rate: float, most: int, stop: Stop) -> None:
        self.size = max(1, min(most, int(rate))) if rate else most  # of a step
        self._rate, self._stop, self._due = rate, stop, 0.0

    def wait(self, number: int) -> None:
        """Sleep until so many more may go, but not longer than until the signal."""
        if self._rate:
            self._stop.sleep(max(self._due - time.monotonic(), 0.0))
            self._due = max(self._due, time.monotonic()) + number / self._rate
