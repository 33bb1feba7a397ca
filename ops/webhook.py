"""Trying a webhook: whose it is, and which scopes it lacks."""

import asyncio
from typing import NamedTuple

from relay.errors import CallError
from relay.portal import Portal, PortalApi, Webhook

NO_ADMIN = (
    "its user is no administrator: a create whose answer is lost goes to an operator, as it can't "
    "be looked up; with an administrator's webhook it is looked up"
)
READ_SCOPES = ("crm", "task")
WRITE_SCOPES = ("crm", "im", "task")


class TriedWebhook(NamedTuple):
    """A webhook that works; `missing` are the wanted scopes that were not granted to it."""

    host: str
    user: str
    missing: list[str]
    admin: bool
    plan: str = ""  # as the portal names it, `en_ent250`; empty where it does not tell a webhook


def try_webhook(url: str, scopes: tuple[str, ...], *, allow_http: bool) -> TriedWebhook:
    """Ask a portal for a webhook's user and scopes; raises ConfigurationError or CallError."""

    async def ask() -> TriedWebhook:
        webhook = Webhook.parse(url, allow_http=allow_http)
        portal = Portal(webhook)
        profile, granted = await asyncio.gather(portal.call("profile"), portal.call("scope"))
        name = " ".join(filter(None, [profile.get("NAME"), profile.get("LAST_NAME")]))
        user = name or f"user {profile['ID']}"
        if str(profile["ID"]) != str(webhook.user_id):  # its owner was dismissed
            user += f", user {profile['ID']} in place of user {webhook.user_id}"
        missing = sorted(set(scopes) - set(granted))
        admin, plan = profile.get("ADMIN") is True, await _plan(portal)
        return TriedWebhook(webhook.host, user, missing, admin, plan)

    return asyncio.run(ask())


async def _plan(portal: PortalApi) -> str:
    """Return the portal's plan, which the SDKs ask webhooks for; empty where it is refused."""
    try:
        return str((await portal.call("app.info")).get("LICENSE") or "")
    except (CallError, AttributeError):
        return ""
