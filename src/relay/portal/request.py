"""One REST request and its answer, at whatever host the portal is by now.

A renamed portal's old host answers 302 (rest-protocol 1.1). It is followed once, with POST, and
only to a host that can be the same portal - the secret goes to nobody else - and whose `profile`
is the webhook's own user:

| old | new |
|---|---|
| a cloud portal, `acme.bitrix24.ru` | another name in the same zone, `new.bitrix24.ru` |
| any host name | the same name, or one below it; the same port, or https' own |
| an IP address | none |

The old host may have expired and belong to a stranger by now, who redirects to himself; in a zone
of Bitrix24 and below one's own name nobody else gets a host. Who owns a sibling can't be seen from
names: `firm.co.uk` and `evil.co.uk` differ no more than `crm.firm.com` and `b24.firm.com`.
"""

import logging
import re
from dataclasses import replace
from urllib.parse import urlsplit

from relay.errors import CallError, OperatorError, TransientError
from relay.portal.answers import Answer, read_answer
from relay.portal.http import Reply, connection
from relay.portal.webhook import Webhook
from relay.portal.webhook_state import WebhookState

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A last part that begins with a digit makes an IP address, in whatever spelling.
_NAME = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z][a-z0-9-]*")
_CLOUD = re.compile(r"[a-z0-9-]+\.(bitrix24\.(?:com|com\.br|com\.tr|[a-z]{2}))")
_logger = logging.getLogger("relay.portal")


def exchange(known: WebhookState, method: str, body: bytes, seconds: float) -> Answer:
    """Send one request, read its answer; raises the CallError that it means."""
    reply = connection.post(method, known.webhook.url(method), body, seconds)
    if reply.status in _REDIRECTS:
        moved = _follow(method, known.webhook, reply, seconds)
        _logger.warning(
            "portal %s is now %s; store the webhook's new URL with `make connect`",
            known.webhook.host,
            moved.host,
        )
        known.webhook = moved
        reply = connection.post(method, moved.url(method), body, seconds)
        if reply.status in _REDIRECTS:
            raise _refuse(method, "redirected twice")
    return read_answer(method, reply.status, reply.body)


def _follow(method: str, webhook: Webhook, reply: Reply, seconds: float) -> Webhook:
    try:
        scheme, host = _address(reply.location)
    except ValueError:
        raise _refuse(method, "redirected to no address") from None
    if scheme not in {"https", webhook.scheme} or (scheme, host) == (webhook.scheme, webhook.host):
        raise _refuse(method, "redirected to an address that is not the portal's")
    if not may_be_renamed(webhook.host, host, any_port=webhook.scheme == "http"):
        remedy = "if the portal has moved there, store the webhook's new URL with `make connect`"
        raise _refuse(method, f"redirected to {host}, which may be somebody else's; {remedy}")
    moved = replace(webhook, host=host, scheme=scheme)
    try:
        proof = connection.post("profile", moved.url("profile"), b"{}", seconds)
        profile = read_answer("profile", proof.status, proof.body).result
    except TransientError:
        raise
    except CallError as error:
        problem = error.code
    else:
        if isinstance(profile, dict) and str(profile.get("ID")) == str(webhook.user_id):
            return moved
        problem = "its profile is another user's"
    raise _refuse(method, f"redirected to {host}, which is not the same portal: {problem}")


def _refuse(method: str, why: str) -> OperatorError:
    return OperatorError(method, "REDIRECTED", why)


def _address(location: str) -> tuple[str, str]:
    """Return scheme and host (`name` or `name:port`) of a URL; raises ValueError for none."""
    target = urlsplit(location)
    name = (target.hostname or "").removesuffix(".").encode("idna").decode()
    # What another parser might read differently is no address: user names, backslashes.
    if target.username is not None or not _NAME.fullmatch(name):
        raise ValueError("no host name")
    port = {"https": 443}.get(target.scheme)
    return target.scheme, name if target.port in {None, port} else f"{name}:{target.port}"


def may_be_renamed(old: str, new: str, *, any_port: bool = False) -> bool:
    """Say whether a host can be the new address of an old one; `any_port` is for tests at home."""
    (old_name, _, old_port), (new_name, _, new_port) = old.partition(":"), new.partition(":")
    if not (_NAME.fullmatch(old_name) and _NAME.fullmatch(new_name)):
        return False
    if not any_port and new_port not in {"", "443", old_port}:
        return False
    zones = [found[1] for name in (old_name, new_name) if (found := _CLOUD.fullmatch(name))]
    if len(zones) == 2:  # noqa: PLR2004  both are of the cloud
        return zones[0] == zones[1]
    return new_name == old_name or new_name.endswith(f".{old_name}")
