"""What happens in a portal beside its items, kept for the page and for tests."""

from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass, field

from local.portal.table import Row

_KEPT = 1000  # notifications, REST calls and changes that the page can show
# The record of the REST request that is answered now
current: ContextVar[Row | None] = ContextVar("current", default=None)


@dataclass(slots=True)
class Activity:
    """What happened beside the items themselves, kept for the page and for tests."""

    notifications: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    messages: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    workflows: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    calls: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    bodies: dict[int, tuple[str, str]] = field(default_factory=dict)  # by a call's number
    last_call: int = 0
    last_message: int = 0
    requests: int = 0

    def next_message(self) -> int:
        """Messages and notifications share their numbers."""
        self.last_message += 1
        return self.last_message


def touch(subject: str) -> None:
    """Note that the request which is answered now has read or written an item."""
    record = current.get()
    if record is not None and subject not in record["subjects"]:
        record["subjects"].append(subject)
