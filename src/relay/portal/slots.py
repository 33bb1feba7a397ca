"""The request limit of a portal: a leaky bucket, stored as the time at which it will be empty.

Each request adds one to the portal's bucket, which drains at `rate` a second; above `burst` the
portal answers 503 (rest-protocol section 4). A bucket that is empty at `empty_at` holds
`(empty_at - now) * rate` requests. A request moves `empty_at` by one step, and its slot is the time
from which on the bucket, with that request, is no fuller than allowed.
"""

import random
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from relay.errors import TransientError

CLOCK_SECONDS = 2.0  # by which the clocks of two copies may differ, or a request be late
REST_SECONDS = 0.5  # by which `empty_at` may lie in the past and still be used
NO_SLOT = "NO_SLOT"


@dataclass(frozen=True, slots=True)
class Pace:
    """The limit of a portal, and the share of it that people and other integrations keep."""

    burst: float = 50  # 250 on the Enterprise plan
    rate: float = 2  # a second; 5 on the Enterprise plan
    reserve: float = 0.1

    @property
    def step(self) -> float:
        """Return the seconds between two requests under load."""
        return 1 / (self.rate * (1 - self.reserve))

    @property
    def room(self) -> float:
        """Return the seconds that `empty_at` may lie ahead of a request: the usable burst."""
        spare = (CLOCK_SECONDS + REST_SECONDS) * self.rate
        usable = self.burst * (1 - self.reserve) - spare
        return max(usable, 1) * self.step

    @property
    def full(self) -> float:
        """Return the seconds that `empty_at` lies ahead if the bucket is full."""
        return self.burst * self.step


class Slots(Protocol):
    """The source of the times at which requests to a portal may be sent; called in threads."""

    def take(self, latest: float) -> float:
        """Reserve the next slot and return it (seconds since 1970).

        Raises TransientError, and reserves nothing, if the slot is after `latest`.
        """

    def refused(self) -> None:
        """Move the next slots back, for all users of the portal: its bucket was full."""


class OwnSlots:
    """The slots of this process alone; `full` begins with a bucket that may be full."""

    def __init__(self, pace: Pace, *, full: bool = False) -> None:
        self._pace = pace
        self._lock = threading.Lock()
        # Random, so that copies which start together do not send together.
        self._empty_at = time.time() + (pace.full * random.uniform(0, 1) if full else 0)

    def take(self, latest: float) -> float:
        """Reserve the next slot and return it (seconds since 1970)."""
        with self._lock:
            empty_at = max(self._empty_at, time.time()) + self._pace.step
            slot = empty_at - self._pace.room
            if slot > latest:
                raise no_slot(slot)
            self._empty_at = empty_at
            return slot

    def refused(self) -> None:
        """Count the bucket as full."""
        with self._lock:
            self._empty_at = max(self._empty_at, time.time() + self._pace.full)


def no_slot(slot: float) -> TransientError:
    """Return the error for a slot after the function's time; `retry_after` is jittered upwards."""
    wait = max(slot - time.time(), 0)
    return TransientError(
        "portal",
        NO_SLOT,
        "the portal's next free request is after the function's time",
        retry_after=wait + random.uniform(0, 1 + wait / 10),
    )
