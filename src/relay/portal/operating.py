"""How much of a portal's execution time a webhook has used up, by method.

About 480 s in ten minutes per webhook and method (rest-protocol section 4); the call after that is
answered 429 `OPERATION_TIME_LIMIT`, and works again at `operating_reset_at`. Sources disagree on
whether a batch is charged to `batch` or to its methods, so both are kept.
"""

import time
from collections.abc import Mapping
from typing import Any

LIMIT_SECONDS = 420.0  # on-premise's figure, the lower one; the cloud's is 480
NEAR = 0.9  # a batch may use the rest up at once
UNKNOWN_SECONDS = 60.0  # the oldest of ten one-minute baskets leaves by then


class Operating:
    """The methods of one webhook that must wait, and until when (seconds since 1970)."""

    def __init__(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._near = limit_seconds * NEAR
        self._until: dict[str, float] = {}
        self._resets_at: dict[str, float] = {}

    def blocked_until(self, method: str) -> float:
        """Return when a method may run again, 0 for now."""
        until = self._until.get(method.lower(), 0.0)
        return until if until > time.time() else 0.0

    def note(self, method: str, said: Any) -> None:
        """Take in the `time` of an answer; its members on operating may be absent."""
        if not isinstance(said, Mapping):
            return
        used, resets_at = _number(said.get("operating")), _number(said.get("operating_reset_at"))
        if used is None or resets_at is None:
            return
        # The portal's clock is not ours: only the difference to its own "now" counts.
        now = time.time()
        portals_now = _number(said.get("finish"))
        at = now + resets_at - (now if portals_now is None else portals_now)
        self._resets_at[method.lower()] = at
        if used >= self._near:
            self._until[method.lower()] = at

    def exhausted(self, method: str) -> None:
        """Take in a 429: wait for the last known reset, a minute where none is known."""
        now = time.time()
        known = self._resets_at.get(method.lower(), 0.0)
        self._until[method.lower()] = known if known > now else now + UNKNOWN_SECONDS

    def note_batch(self, outer: Any, inner: Mapping[str, Any], methods: Mapping[str, str]) -> None:
        """Take in the times of a batch: its own, and those of its commands by their keys.

        Where the commands repeat the batch's own figure, it is the batch that is charged.
        """
        self.note("batch", outer)
        charged = _number(outer.get("operating")) if isinstance(outer, Mapping) else None
        for key, said in inner.items():
            own = _number(said.get("operating")) if isinstance(said, Mapping) else None
            if key in methods and own != charged:
                self.note(methods[key], said)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
