"""What happens in a portal beside its items, kept for the page and for tests."""

from collections import deque
from dataclasses import dataclass, field

from local.portal.table import Row

_KEPT = 1000  # notifications, REST calls and changes that the page can show


@dataclass(slots=True)
class Activity:
    """What happened beside the items themselves, kept for the page and for tests."""

    notifications: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    messages: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    workflows: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    calls: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    last_message: int = 0
    requests: int = 0

    def next_message(self) -> int:
        """Messages and notifications share their numbers."""
        self.last_message += 1
        return self.last_message
