"""What this process has learnt about a webhook: shared by all its portals and event loops."""

import time
from concurrent.futures import ThreadPoolExecutor

from relay.portal.http import THREADS
from relay.portal.operating import Operating
from relay.portal.slots import OwnSlots, Pace
from relay.portal.webhook import Webhook

MOST_COMMANDS = 50  # in one batch (rest-protocol section 5)
SLOW_SECONDS = 20.0  # a third of what the portal allows a request
QUICK_SECONDS = 5.0


class WebhookState:
    """One webhook's state: where it answers, how much it can do at once, what must wait."""

    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook  # another host once the portal was renamed
        self.size = MOST_COMMANDS
        self.not_for_batch: set[str] = set()
        self.operating = Operating()
        self.own_slots = OwnSlots(Pace())
        self.seconds_needed = 1.0
        # Of its own: a portal that hangs keeps its threads for a minute, and only those. As many
        # for slots as for requests; a thread is made when one is needed.
        self.threads = ThreadPoolExecutor(2 * THREADS, "portal")

    def took(self, seconds: float, commands: int) -> None:
        """Adapt the number of commands to how long they took together."""
        self.seconds_needed = min(max(1.0, 2 * seconds), SLOW_SECONDS)
        if seconds > SLOW_SECONDS:
            self.too_much(commands)
        elif seconds < QUICK_SECONDS and commands >= self.size:
            self.size = min(self.size * 2, MOST_COMMANDS)

    def too_much(self, commands: int) -> None:
        """Halve the number of commands: so many were too slow or too large.

        One that went alone says nothing of those that go together.
        """
        if commands > 1:
            self.size = min(self.size, commands // 2)

    def wait_for(self, method: str) -> float:
        """Return the seconds that a method must wait for its execution time."""
        return max(self.operating.blocked_until(method) - time.time(), 0)


_known: dict[Webhook, WebhookState] = {}


def known(webhook: Webhook) -> WebhookState:
    """Return what this process knows of a webhook."""
    return _known.setdefault(webhook, WebhookState(webhook))


def forget() -> None:
    """Begin anew, as a new process does: for tests."""
    _known.clear()
