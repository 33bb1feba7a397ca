"""Request -> verified Event: the steps that ingress and republish share."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from relay import settings
from relay.errors import InvalidTokenError, NoTokensError, StaleTokensError
from relay.event import Event
from relay.ingress.form import Form, Request
from relay.ingress.recognise import to_event
from relay.ingress.robot_cache import RobotCache
from relay.ingress.robots import RobotCall, to_robot_event, verify_call
from relay.ingress.tokens import TokenCache
from relay.ingress.verify import token_of, verify_token

MAX_EPOCH_MS = 253_402_300_800_000  # the year 10000: datetime ends there


class Arrival(NamedTuple):
    """The gateway's id of a request, and when the request came, in seconds since 1970."""

    request_id: str
    received_at: float


def arrival_of(request: Request, invocation_id: str = "") -> Arrival:
    """Return a request's arrival; the invocation's id and the present where it has none."""
    gateway = request.get("requestContext")
    gateway = gateway if isinstance(gateway, Mapping) else {}
    request_id, epoch_ms = gateway.get("requestId"), gateway.get("timeEpoch")
    received_at = time.time()
    if type(epoch_ms) is int and 0 < epoch_ms < MAX_EPOCH_MS:
        received_at = epoch_ms / 1000
    if not request_id or not isinstance(request_id, str):
        request_id = invocation_id
    return Arrival(request_id, received_at)


def accept(form: Form, arrival: Arrival, tokens: TokenCache) -> Event:
    """Return the event of a form that bears a stored token.

    Raises MalformedRequestError for a form without an event's code, InvalidTokenError,
    NoTokensError where no token is stored or could be read, and StaleTokensError where an unknown
    token may have been stored since SSM answered last.
    """
    token = token_of(form)
    portal = _verify(token, tokens)
    tokens.note_use(portal, token)
    return to_event(form, portal, arrival.request_id, arrival.received_at)


def accept_call(call: RobotCall, arrival: Arrival, robots: RobotCache) -> Event:
    """Return the event of a robot's call whose address bears a stored secret.

    Raises MalformedRequestError for a call without a document, and what `accept` raises for a
    secret; where none is stored the call is refused, as its address can't be `make robot`'s.
    """
    secrets = robots.tokens()
    if not any(secrets.values()) and robots.failed:
        raise NoTokensError("the secrets of robots can't be read") from robots.failed
    try:
        verify_call(call, secrets, robots.members)
    except InvalidTokenError as refusal:
        if robots.refresh():
            secrets = robots.tokens()
            verify_call(call, secrets, robots.members)
        elif robots.failed:
            raise StaleTokensError(str(refusal)) from robots.failed
        else:
            raise
    return to_robot_event(call, list(secrets[call.portal]), arrival.received_at, robots)


def _verify(token: bytes, tokens: TokenCache) -> str:
    stored = tokens.tokens()
    if not any(stored.values()):
        missing = settings.missing_secrets(["application-tokens/<portal>"])
        raise NoTokensError(str(missing)) from tokens.failed
    try:
        return verify_token(token, stored)
    except InvalidTokenError as refusal:
        if tokens.refresh():
            return verify_token(token, tokens.tokens())
        if tokens.failed and token:
            raise StaleTokensError(str(refusal)) from tokens.failed
        raise


def log_fields(event: Event) -> dict[str, str | None]:
    """Return what is logged of a published event: nothing of its content."""
    return {
        "event_id": event.event_id,
        "event_name": event.name,
        "portal": event.portal,
        "subject": event.subject,
        "sent_at": event.sent_at,
    }
