"""The secrets of robots' addresses, and what a process remembers of portals and calls."""

from collections.abc import Callable, Mapping

from relay import settings
from relay.event import ROBOT_ACTION, Event
from relay.ingress.tokens import TokenCache

WINDOW_SECONDS = 10  # equal calls within it are one: administrators click twice
MAX_RECENT = 1000


def read_secrets() -> Mapping[str, str]:
    """Return the secrets of each portal's robots, one a line; raises botocore's errors."""
    return settings.secrets("robots")


class RobotCache(TokenCache):
    """The secrets of robots' addresses by portal, and what this process remembers of calls.

    `members` maps a portal to the member id in its last event that bore an application token.
    """

    def __init__(
        self, read: Callable[[], Mapping[str, str]] = read_secrets, *now: Callable[[], float]
    ) -> None:
        super().__init__(read, *now)
        self.members: dict[str, str] = {}
        self._recent: dict[str, tuple[str, float]] = {}

    def learn(self, event: Event) -> None:
        """Remember the member id of a portal whose event bore its application token."""
        if event.member_id and event.action != ROBOT_ACTION:
            self.members[event.portal] = event.member_id

    def call_id(self, key: str, received_at: float) -> str:
        """Return the id of a call: that of an equal call of less than WINDOW_SECONDS before.

        Calls that other processes received share the id within a window on the clock.
        """
        earlier, at = self._recent.get(key, ("", 0.0))
        if earlier and 0 <= received_at - at < WINDOW_SECONDS:
            return earlier
        if len(self._recent) >= MAX_RECENT:
            self._recent.clear()
        call_id = f"{key}.{int(received_at // WINDOW_SECONDS)}"
        self._recent[key] = call_id, received_at
        return call_id
