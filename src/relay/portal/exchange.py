"""One REST request and its answer, at whatever host the portal is by now.

A renamed portal's old host answers 302 (rest-protocol 1.1). It is followed once, with POST, and
only to a host that can be the same portal - the secret goes to nobody else - and whose `profile`
is the webhook's own user.
"""

import ipaddress
import logging
import re
from dataclasses import replace
from urllib.parse import urlsplit

from relay.errors import OperatorError, PortalError, TransientError
from relay.portal.answers import Answer, read_answer
from relay.portal.connection import Reply, connection
from relay.portal.known import Known
from relay.portal.webhook import Webhook

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CLOUD = re.compile(r"[^.:]+\.bitrix24\.(com|com\.br|com\.tr|[a-z]{2})(:443)?")
_logger = logging.getLogger("relay.portal")


def exchange(known: Known, method: str, body: bytes, seconds: float) -> Answer:
    """Send one request, read its answer; raises the PortalError that it means."""
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
        target = urlsplit(reply.location)
        host = f"{target.hostname}:{target.port}" if target.port else target.hostname or ""
    except ValueError:
        raise _refuse(method, "redirected to no address") from None
    if target.scheme not in {"https", webhook.scheme} or host == webhook.host:
        raise _refuse(method, "redirected to an address that is not the portal's")
    if not may_be_renamed(webhook.host, host):
        raise _refuse(method, f"redirected to {host}, which can't be the same portal")
    moved = replace(webhook, host=host, scheme=target.scheme)
    try:
        proof = connection.post("profile", moved.url("profile"), b"{}", seconds)
        profile = read_answer("profile", proof.status, proof.body).result
    except TransientError:
        raise
    except PortalError as error:
        problem = error.code
    else:
        if isinstance(profile, dict) and str(profile.get("ID")) == str(webhook.user_id):
            return moved
        problem = "its profile is another user's"
    raise _refuse(method, f"redirected to {host}, which is not the same portal: {problem}")


def _refuse(method: str, why: str) -> OperatorError:
    return OperatorError(method, "REDIRECTED", why)


def may_be_renamed(old: str, new: str) -> bool:
    """Cloud portals stay in the cloud, others below their own domain, local ones local."""
    if _CLOUD.fullmatch(old) or _CLOUD.fullmatch(new):
        return bool(_CLOUD.fullmatch(old) and _CLOUD.fullmatch(new))
    if _is_local(old) or _is_local(new):
        return _is_local(old) and _is_local(new)
    return _domain(old) == _domain(new)


def _is_local(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _domain(host: str) -> list[str]:
    return (urlsplit(f"//{host}").hostname or "").split(".")[-2:]
