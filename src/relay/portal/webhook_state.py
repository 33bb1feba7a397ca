"""The state of a webhook in this process, shared by all portal objects and event loops."""

from concurrent.futures import Executor, ThreadPoolExecutor

from relay.portal.batch import MAX_COMMANDS
from relay.portal.http import CONNECTION, THREADS, Connection
from relay.portal.operating import Operating
from relay.portal.slots import OwnSlots, Pace
from relay.portal.webhook import Webhook

SLOW_SECONDS = 20.0  # a third of the time that the portal gives a request
QUICK_SECONDS = 5.0


class WebhookState:
    """The present host of a portal, the size of its batches, and the methods that must wait.

    The thread pool belongs to one webhook, so that a portal that hangs blocks no other portal. It
    has a thread for each request and each slot that may be under way.
    """

    def __init__(
        self, webhook: Webhook, connection: Connection = CONNECTION, threads: Executor | None = None
    ) -> None:
        self.webhook = webhook  # with another host once the portal was renamed
        self.connection = connection
        self.threads = threads or ThreadPoolExecutor(2 * THREADS, "portal")
        self.batch_size = MAX_COMMANDS
        self.methods_without_batch: set[str] = set()
        self.operating = Operating()
        self.own_slots = OwnSlots(Pace())
        self.request_seconds = 1.0  # to keep free for a request before the function ends

    def record_duration(self, seconds: float, commands: int) -> None:
        """Adapt the batch size to the seconds that a request of so many commands took."""
        self.request_seconds = min(max(1.0, 2 * seconds), SLOW_SECONDS)
        if seconds > SLOW_SECONDS:
            self.shrink_batches(commands)
        elif seconds < QUICK_SECONDS and commands >= self.batch_size:
            self.batch_size = min(self.batch_size * 2, MAX_COMMANDS)

    def shrink_batches(self, commands: int) -> None:
        """Halve the batch size after a request of so many commands was too slow or too large."""
        # A command that was alone in its request does not count: it tells nothing about batches.
        if commands > 1:
            self.batch_size = min(self.batch_size, commands // 2)


states: dict[Webhook, WebhookState] = {}


def state_of(webhook: Webhook) -> WebhookState:
    """Return the state of a webhook, new on first use."""
    return states.get(webhook) or states.setdefault(webhook, WebhookState(webhook))


def forget() -> None:
    """Drop all states, for tests: the next use of a webhook begins like a new process."""
    states.clear()
