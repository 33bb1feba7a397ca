"""Request -> verified Event: the steps that ingress and republish share."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from relay import settings
from relay.errors import InvalidTokenError, NoTokensError, StaleTokensError
from relay.event import Event
from relay.ingress.form import Request, mapping, read_form
from relay.ingress.recognise import event_name, to_event
from relay.ingress.robot_cache import RobotCache
from relay.ingress.robots import (
    RobotCall,
    is_robot_call,
    read_call,
    to_robot_event,
    verify_call,
)
from relay.ingress.tokens import TokenCache, Tokens
from relay.ingress.verify import token_of, verify_token

MAX_EPOCH_MS = 253_402_300_800_000  # the year 10000: datetime ends there


class Arrival(NamedTuple):
    """The gateway's id of a request, and when the request came, in seconds since 1970."""

    request_id: str
    received_at: float


def arrival_of(request: Request, invocation_id: str = "") -> Arrival:
    """Return a request's arrival; the invocation's id and the present where it has none."""
    gateway = mapping(request.get("requestContext"))
    request_id, epoch_ms = gateway.get("requestId"), gateway.get("timeEpoch")
    received_at = time.time()
    if type(epoch_ms) is int and 0 < epoch_ms < MAX_EPOCH_MS:
        received_at = epoch_ms / 1000
    if not request_id or not isinstance(request_id, str):
        request_id = invocation_id
    return Arrival(request_id, received_at)


def accept(request: Request, arrival: Arrival, tokens: TokenCache, robots: RobotCache) -> Event:
    """Return the event of a request that bears a stored token, or a robot's secret.

    Raises RejectedRequestError, NoTokensError where no token is stored or could be read, and
    StaleTokensError where an unknown one may have been stored since SSM answered last.
    """
    if is_robot_call(request):
        return _accept_call(read_call(request), arrival, robots)
    form = read_form(request)
    event_name(form)  # a form without one is refused, whatever its token
    token = token_of(form)
    if not any(tokens.tokens().values()):
        missing = settings.missing_secrets(["application-tokens/<portal>"])
        raise NoTokensError(str(missing)) from tokens.failed
    portal = _verified(partial(verify_token, token), tokens, may_be_new=bool(token))
    tokens.note_use(portal, token)
    return to_event(form, portal, arrival.request_id, arrival.received_at)


def _accept_call(call: RobotCall, arrival: Arrival, robots: RobotCache) -> Event:
    # Where no secret is stored a call is refused, as its address can't be `make robot`'s.
    if not any(robots.tokens().values()) and robots.failed:
        raise NoTokensError("the secrets of robots can't be read") from robots.failed
    secrets = _verified(partial(verify_call, call, robots.members), robots)
    return to_robot_event(call, list(secrets), arrival.received_at, robots)


def _verified[T](verify: Callable[[Tokens], T], cache: TokenCache, *, may_be_new: bool = True) -> T:
    """Return what `verify` makes of the stored tokens; they are read anew where it refuses."""
    try:
        return verify(cache.tokens())
    except InvalidTokenError as refusal:
        if cache.refresh():
            return verify(cache.tokens())
        if cache.failed and may_be_new:
            raise StaleTokensError(str(refusal)) from cache.failed
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
