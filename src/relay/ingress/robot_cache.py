"""The secrets of robots' addresses, and what a process remembers of portals and calls."""

import time
from collections.abc import Callable, Mapping

from relay.event import ROBOT_ACTION, ROBOT_WINDOW_SECONDS, Event, robot_call_id
from relay.ingress.tokens import TokenCache

MAX_RECENT = 1000


class RobotCache(TokenCache):
    """The secrets of robots' addresses by portal, and what this process remembers of calls.

    `members` maps a portal to the member id in its last event that bore an application token.
    """

    branch = "robots"

    def __init__(
        self,
        read: Callable[[], Mapping[str, str]] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(read, now)
        self.members: dict[str, str] = {}
        self._recent: dict[str, float] = {}

    def learn(self, event: Event) -> None:
        """Remember the member id of a portal whose event bore its application token."""
        if event.member_id and event.action != ROBOT_ACTION:
            self.members[event.portal] = event.member_id

    def call_id(self, call: str, received_at: float) -> tuple[str, float]:
        """Return the id and the time of a call: those of an equal one shortly before or after.

        Calls that other processes received share the id within a window on the clock; beyond its
        edge relay.reaction.equal_calls finds them.
        """
        at = self._recent.get(call, received_at)
        if abs(received_at - at) >= ROBOT_WINDOW_SECONDS:
            at = received_at
        if len(self._recent) >= MAX_RECENT:
            self._recent.clear()
        self._recent[call] = at
        return robot_call_id(call, at), at
