"""One REST request and its answer, at the present host of the portal.

The old host of a renamed portal answers 302 (rest-protocol 1.1). The client follows once, with
POST, to a host that can be the same portal (the table) and whose `profile` is the webhook's user:

| old host | new host |
|---|---|
| a cloud portal, `acme.bitrix24.ru` | another name in the same zone, `new.bitrix24.ru` |
| any other host name | the same name or a name below it; the same port or that of https |
| an IP address | none |

Any other host could be a stranger's, who must not get the secret: an expired host may redirect to
its new owner. Sibling names prove nothing: `firm.co.uk` and `evil.co.uk` differ no more than
`crm.firm.com` and `b24.firm.com`.
"""

import logging
import re
from dataclasses import replace
from urllib.parse import urlsplit

from relay.errors import CallError, OperatorError, TransientError
from relay.portal.answers import Answer, read_answer
from relay.portal.http import Connection, Reply
from relay.portal.webhook import Webhook
from relay.portal.webhook_state import WebhookState

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A last part that begins with a digit makes an IP address, in any notation.
_NAME = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z][a-z0-9-]*")
_CLOUD = re.compile(r"[a-z0-9-]+\.(bitrix24\.(?:com|com\.br|com\.tr|[a-z]{2}))")
_logger = logging.getLogger("relay.portal")


def exchange(state: WebhookState, method: str, body: bytes, seconds: float) -> Answer:
    """Send one request and return its answer within about `seconds`; raises a CallError."""
    webhook = state.webhook  # another thread may follow the same redirect meanwhile
    reply = state.connection.post(method, webhook.url(method), body, seconds)
    if reply.status in _REDIRECTS:
        moved = _followed(state.connection, webhook, method, reply, seconds)
        if state.webhook != moved:
            advice = "store the webhook's new URL with `make connect`"
            _logger.warning("portal %s is now %s; %s", webhook.host, moved.host, advice)
        state.webhook = moved
        reply = state.connection.post(method, moved.url(method), body, seconds)
        if reply.status in _REDIRECTS:
            raise _refused(method, "redirected twice")
    return read_answer(method, reply.status, reply.body)


def _followed(
    connection: Connection, webhook: Webhook, method: str, redirect: Reply, seconds: float
) -> Webhook:
    """Return the webhook with the host of a redirect; raises OperatorError for a foreign host."""
    try:
        scheme, host = _address(redirect.location)
    except ValueError:
        raise _refused(method, "redirected to no address") from None
    if scheme not in {"https", webhook.scheme} or (scheme, host) == (webhook.scheme, webhook.host):
        raise _refused(method, "redirected to an address that is not the portal's")
    if not may_be_renamed(webhook.host, host, any_port=webhook.scheme == "http"):
        remedy = "if the portal has moved there, store the webhook's new URL with `make connect`"
        raise _refused(method, f"redirected to {host}, which may be somebody else's; {remedy}")
    moved = replace(webhook, host=host, scheme=scheme)
    try:
        reply = connection.post("profile", moved.url("profile"), b"{}", seconds)
        profile = read_answer("profile", reply.status, reply.body).result
    except TransientError:
        raise
    except CallError as error:
        problem = error.code
    else:
        if isinstance(profile, dict) and str(profile.get("ID")) == str(webhook.user_id):
            return moved
        problem = "its profile is another user's"
    raise _refused(method, f"redirected to {host}, which is not the same portal: {problem}")


def _refused(method: str, reason: str) -> OperatorError:
    return OperatorError(method, "REDIRECTED", reason)


def _address(location: str) -> tuple[str, str]:
    """Return scheme and host (`name` or `name:port`) of a URL; raises ValueError for no URL."""
    target = urlsplit(location)
    name = (target.hostname or "").removesuffix(".").encode("idna").decode()
    # Parsers disagree about user names and backslashes in a URL: neither is accepted.
    if target.username is not None or not _NAME.fullmatch(name):
        raise ValueError("no host name")
    port = {"https": 443}.get(target.scheme)
    return target.scheme, name if target.port in {None, port} else f"{name}:{target.port}"


def may_be_renamed(old: str, new: str, *, any_port: bool = False) -> bool:
    """Return whether a host can be the new address of an old one.

    `any_port` accepts another port: portals on plain http are simulated ones, told apart by ports.
    """
    (old_name, _, old_port), (new_name, _, new_port) = old.partition(":"), new.partition(":")
    if not (_NAME.fullmatch(old_name) and _NAME.fullmatch(new_name)):
        return False
    if not any_port and new_port not in {"", "443", old_port}:
        return False
    old_zone, new_zone = _CLOUD.fullmatch(old_name), _CLOUD.fullmatch(new_name)
    if old_zone and new_zone:
        return old_zone[1] == new_zone[1]
    return new_name == old_name or new_name.endswith(f".{old_name}")
