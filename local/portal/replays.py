"""`Idempotency-Key` of REST 3.0: a write that is asked for twice is done once [rest-v3.md]."""

import hashlib
import json
from typing import Any

from local.portal.table import Row
from local.portal.v3_errors import V3Error

HEADER, REPEATED = "Idempotency-Key", "Idempotent-Replayed"
_MAX_KEY = 255
_KEPT_SECONDS = 24 * 3600
_MOST = 1000  # keys that are remembered
_READS = {"get", "list", "openapi", "documentation", "batch"}

Place = tuple[str, str, str]  # whose, which method, the key


def is_write(name: str) -> bool:
    """Whether a key counts for a method: what only reads has no use for it."""
    return name.rpartition(".")[2].lower() not in _READS


class Replays:
    """Answers by key; errors are not kept, and two calls at a time may both run."""

    def __init__(self) -> None:
        self._kept: dict[Place, tuple[float, str, Row]] = {}

    def find(self, place: Place, params: Any, now: float) -> Row | None:
        """Find the answer to the same call; V3Error for a bad key or one of another call."""
        key = place[2]
        if not 0 < len(key) <= _MAX_KEY or not key.isascii() or not key.isprintable():
            raise V3Error("INVALIDIDEMPOTENCYKEYEXCEPTION", "Invalid idempotency key")
        kept = self._kept.get(place)
        if kept is None or now - kept[0] > _KEPT_SECONDS:
            return None
        if kept[1] != _digest(params):
            text = "The idempotency key was used with another request"
            raise V3Error("IDEMPOTENCYKEYREUSEDEXCEPTION", text, 422)
        return kept[2]

    def keep(self, place: Place, params: Any, now: float, body: Row) -> None:
        """Remember an answer, and forget the oldest one where there are too many."""
        self._kept.pop(place, None)
        self._kept[place] = (now, _digest(params), body)
        if len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]


def _digest(params: Any) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
