"""Whether a webhook works, who it is, and which scopes it lacks."""

import asyncio
from typing import NamedTuple

from relay.portal import Portal, Webhook

NO_ADMIN = (
    "its user is no administrator: a create whose answer is lost will ask a person, as it can't be "
    "looked for; a webhook of a user who may read everything asks nobody"
)
READING = ("crm", "task")
WRITING = ("crm", "im", "task")


class Tried(NamedTuple):
    """What a portal says of a webhook: its host, its user, the scopes that were not granted.

    Only an administrator sees everything: what nobody else finds may be there all the same.
    """

    host: str
    user: str
    missing: list[str]
    admin: bool


def try_webhook(url: str, scopes: tuple[str, ...], *, allow_http: bool) -> Tried:
    """Ask a portal who this webhook is; raises ConfigurationError or CallError."""

    async def ask() -> Tried:
        webhook = Webhook.parse(url, allow_http=allow_http)
        portal = Portal(webhook)
        profile, granted = await asyncio.gather(portal.call("profile"), portal.call("scope"))
        name = " ".join(filter(None, [profile.get("NAME"), profile.get("LAST_NAME")]))
        user = name or f"user {profile['ID']}"
        missing = sorted(set(scopes) - set(granted))
        return Tried(webhook.host, user, missing, profile.get("ADMIN") is True)

    return asyncio.run(ask())
