"""The execution time that a webhook has used, and the methods that must wait for more.

A portal allows about 480 s in ten minutes per webhook and method (rest-protocol section 4). It
answers the calls after that with 429 `OPERATION_TIME_LIMIT` until `operating_reset_at`. Sources
disagree on whether a batch counts for `batch` or for the methods in it, so both are recorded.
"""

import time
from collections.abc import Mapping

from relay.portal.api import Json

BLOCK_AT_SECONDS = (
    378.0  # nine tenths of what an on-premise portal allows: one batch may use the rest
)
UNKNOWN_SECONDS = 60.0  # if the portal names no reset; it counts in ten baskets of a minute each


class Operating:
    """The methods of one webhook that must wait, and until when (seconds since 1970)."""

    def __init__(self) -> None:
        self._blocked_until: dict[str, float] = {}
        self._resets_at: dict[str, float] = {}

    def seconds_blocked(self, method: str) -> float:
        """Return the seconds until a method has execution time again, 0 if it has some now."""
        return max(self._blocked_until.get(method.lower(), 0.0) - time.time(), 0)

    def record(self, method: str, times: Json) -> None:
        """Record the `time` of an answer; portals without this limit send no such members."""
        if not isinstance(times, dict):
            return
        used, resets_at = _number(times.get("operating")), _number(times.get("operating_reset_at"))
        if used is None or resets_at is None:
            return
        # The portal's clock may be wrong: the reset counts from the portal's own "now".
        now = time.time()
        portals_now = _number(times.get("finish"))
        reset_at = now + resets_at - (now if portals_now is None else portals_now)
        self._resets_at[method.lower()] = reset_at
        if used >= BLOCK_AT_SECONDS:
            self._blocked_until[method.lower()] = reset_at

    def block(self, method: str) -> None:
        """Block a method after a 429: until the recorded reset, or for UNKNOWN_SECONDS."""
        now = time.time()
        reset_at = self._resets_at.get(method.lower(), 0.0)
        self._blocked_until[method.lower()] = reset_at if reset_at > now else now + UNKNOWN_SECONDS

    def record_batch(
        self, batch: Json, commands: Mapping[str, Json], methods: Mapping[str, str]
    ) -> None:
        """Record the `time` of a batch, and {key: time} of its commands with {key: method}."""
        # Commands that repeat the figure of the batch have not used that time: the batch has.
        self.record("batch", batch)
        used_by_batch = _number(batch.get("operating")) if isinstance(batch, dict) else None
        for key, times in commands.items():
            used = _number(times.get("operating")) if isinstance(times, dict) else None
            if key in methods and used != used_by_batch:
                self.record(methods[key], times)


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None
