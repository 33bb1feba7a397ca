"""How often a portal may be asked: its leaky bucket, kept as the time at which it is empty.

Each request adds one to the portal's bucket, which drains `rate` a second; above `burst` it
answers 503 (rest-protocol section 4). A bucket that is empty at `free` holds `(free - now) * rate`:
a request moves `free` by one step, and may go as soon as the bucket is then no fuller than allowed.
"""

import random
import threading
import time
from dataclasses import dataclass, replace
from typing import Protocol

from relay.errors import TransientError

CLOCK_SECONDS = 2.0  # how far the clocks of two copies may differ, or a request be late
REST_SECONDS = 0.5  # how long an empty bucket may count on as if it drained
NO_SLOT = "NO_SLOT"


@dataclass(frozen=True, slots=True)
class Pace:
    """A portal's limit, and the share of it that is left to people and other integrations."""

    burst: float = 50  # 250 on the Enterprise plan
    rate: float = 2  # a second; 5 on the Enterprise plan
    reserve: float = 0.1

    @property
    def step(self) -> float:
        """Seconds between two requests under load."""
        return 1 / (self.rate * (1 - self.reserve))

    @property
    def room(self) -> float:
        """Seconds that `free` may be ahead of a request: the usable burst."""
        spare = (CLOCK_SECONDS + REST_SECONDS) * self.rate
        usable = self.burst * (1 - self.reserve) - spare
        return max(usable, 1) * self.step

    @property
    def full(self) -> float:
        """Seconds that `free` is ahead when the bucket holds all that it can."""
        return self.burst * self.step

    def shared_by(self, copies: int) -> "Pace":
        """Return the pace of one of several copies that know nothing of each other."""
        return replace(self, burst=1, rate=self.rate / copies)


class Slots(Protocol):
    """Where requests to a portal get their time from; called in threads."""

    def take(self, latest: float) -> float:
        """Reserve the next slot: when to send (seconds since 1970).

        Raises TransientError, and reserves nothing, if it is after `latest`.
        """

    def refused(self) -> None:
        """Take in that the portal's bucket was full: the next slots come later, for everybody."""


class OwnSlots:
    """The slots of this process alone."""

    def __init__(self, pace: Pace, *, full: bool = False) -> None:
        self._pace = pace
        self._lock = threading.Lock()
        # Copies that start together should not go on together.
        self._free = time.time() + (pace.full * random.uniform(0, 1) if full else 0)

    def take(self, latest: float) -> float:
        """Reserve the next slot."""
        with self._lock:
            free = max(self._free, time.time()) + self._pace.step
            slot = free - self._pace.room
            if slot > latest:
                raise no_slot(slot)
            self._free = free
            return slot

    def refused(self) -> None:
        """Count the bucket as full."""
        with self._lock:
            self._free = max(self._free, time.time() + self._pace.full)


def no_slot(slot: float) -> TransientError:
    """Return the error for a slot that comes too late, with the time after which to come back."""
    wait = max(slot - time.time(), 0)
    return TransientError(
        "portal",
        NO_SLOT,
        "the portal's next free request is after the function's time",
        retry_after=wait + random.uniform(0, 1 + wait / 10),
    )
