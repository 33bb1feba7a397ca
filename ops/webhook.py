"""Whether a webhook works, who it is, and which scopes it lacks."""

import asyncio
from typing import NamedTuple

from relay.portal import Portal, Webhook

READING = ("crm", "task")
WRITING = ("crm", "im", "task")


class Tried(NamedTuple):
    """What a portal says of a webhook: its host, its user, the scopes that were not granted."""

    host: str
    user: str
    missing: list[str]


def try_webhook(url: str, scopes: tuple[str, ...], *, allow_http: bool) -> Tried:
    """Ask a portal who this webhook is; raises ConfigurationError or PortalError."""

    async def ask() -> Tried:
        webhook = Webhook.parse(url, allow_http=allow_http)
        portal = Portal(webhook)
        profile, granted = await asyncio.gather(portal.call("profile"), portal.call("scope"))
        name = " ".join(filter(None, [profile.get("NAME"), profile.get("LAST_NAME")]))
        user = name or f"user {profile['ID']}"
        return Tried(webhook.host, user, sorted(set(scopes) - set(granted)))

    return asyncio.run(ask())
