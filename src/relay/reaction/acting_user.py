"""Who a webhook's calls run as: the user of its address, or one that the webhook was handed to.

Whoever dismisses a webhook's owner may hand it to a system user; its address stays as it was.
"""

import time
from dataclasses import dataclass
from math import inf

from relay.echo.calls import Call
from relay.echo.effects import is_map, saved_by
from relay.errors import RelayError
from relay.portal import PortalApi, Webhook

ASK_SECONDS = 3600  # at least, between two questions


@dataclass(slots=True)
class ActingUser:
    """The user of one webhook, shared by all records of this process."""

    id: int
    asked_at: float = -inf

    async def check(self, portal: PortalApi, call: Call, result: object) -> None:
        """Ask who writes, if a write's result names another user; a failure changes nothing."""
        # An update that changed nothing names whoever saved the item before.
        named = {saved_by(done.result) for done in call.finished(result)} - {"", str(self.id)}
        if not named or time.time() - self.asked_at < ASK_SECONDS:
            return
        self.asked_at = time.time()
        try:
            profile = await portal.call("profile")
        except RelayError:
            return
        number = str(profile.get("ID")) if is_map(profile) else ""
        self.id = int(number) if number.isdecimal() else self.id


_users: dict[tuple[str, int], ActingUser] = {}


def acting_user(webhook: Webhook) -> ActingUser:
    """Return the user of a webhook, as far as this process knows."""
    key = (webhook.host, webhook.user_id)
    return _users.setdefault(key, ActingUser(webhook.user_id))


def forget() -> None:
    """Drop all that is known, for tests."""
    _users.clear()
