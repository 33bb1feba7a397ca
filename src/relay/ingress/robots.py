"""GET or POST /robot/{portal}/{secret}/{name} -> verified Event of a robot or a business process.

Such a request has no application token: the secret in its address proves the sender. It is the
portal's own setting, so whoever may edit robots can read it; it says nothing about the document.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from relay.cloudevent import Parsed
from relay.errors import InvalidTokenError, MalformedRequestError, MethodNotAllowedError
from relay.event import ROBOT_ACTION, ROBOT_NAME, ROBOT_PREFIX, Event
from relay.ingress.document import entity_type_id, read_document
from relay.ingress.form import Form, Request, mapping, parse_form, read_form
from relay.ingress.recognise import iso, text_of, without_credentials
from relay.ingress.robot_cache import RobotCache
from relay.ingress.tokens import Tokens
from relay.ingress.verify import owner_of

ROUTE = "/robot/{portal}/{secret}/{name}"


class RobotCall(NamedTuple):
    """A robot's request; `digest` is that of the secret, which is kept nowhere."""

    portal: str
    digest: bytes
    name: str
    query: Form
    form: Form


def is_robot_call(request: Request) -> bool:
    """Return whether the gateway has matched a request to the route of robots."""
    return str(request.get("routeKey")).endswith(ROUTE)


def read_call(request: Request) -> RobotCall:
    """Return what a request on ROUTE holds; raises RejectedRequestError."""
    method = mapping(mapping(request.get("requestContext")).get("http")).get("method")
    if method not in {"GET", "POST"}:
        raise MethodNotAllowedError("a robot is called with GET or POST")
    form = read_form(request) if method == "POST" else {}
    path = mapping(request.get("pathParameters"))
    stored = text_of(path.get("digest"))  # of a spilled request; the route has no such parameter
    secret = (text_of(path.get("secret")) or "").encode("utf-8", "replace")
    return RobotCall(
        portal=text_of(path.get("portal")) or "",
        digest=bytes.fromhex(stored) if stored else sha256(secret).digest(),
        name=text_of(path.get("name")) or "",
        query=parse_form((text_of(request.get("rawQueryString")) or "").encode("utf-8", "replace")),
        form=form,
    )


def spillable(request: Request) -> dict[str, object]:
    """Return the parts of a robot's request that are spilled: a digest instead of the secret."""
    call = read_call(request)
    path = {"portal": call.portal, "digest": call.digest.hex(), "name": call.name}
    query = request.get("rawQueryString")
    return {"routeKey": ROUTE, "rawQueryString": query, "pathParameters": path}


def verify_call(call: RobotCall, members: Mapping[str, str], secrets: Tokens) -> Sequence[str]:
    """Return the portal's secrets; raises InvalidTokenError, always the same, for another address.

    `members` are the portals' member ids, as far as they are known.
    """
    owner = owner_of(call.digest, secrets)
    member_id = _auth(call).get("member_id")
    wanted = members.get(call.portal)
    if not owner or owner != call.portal or (wanted and member_id and member_id != wanted):
        raise InvalidTokenError("the address is not one of this relay's robots")
    return secrets[owner]


def to_robot_event(call: RobotCall, secrets: list[str], at: float, cache: RobotCache) -> Event:
    """Return the event of a verified call; raises MalformedRequestError without a document.

    `secrets` are the portal's: whatever holds one of them is left out. `at` is the time when the
    call came, in seconds since 1970.
    """
    name = call.name.lower()
    if not ROBOT_NAME.fullmatch(name) or any(secret in name for secret in secrets):
        raise MalformedRequestError("the last part of the address is no robot's name")
    query = _without(call.query, secrets)
    document_id = call.form.get("document_id") or query.pop("document_id", None)
    document = read_document(_without(document_id, secrets))
    query.pop("document_id", None)
    params = without_credentials(query)
    auth = _without(_auth(call), secrets)
    key = json.dumps([document, params])
    digest = sha256(key.encode("utf-8", "replace")).hexdigest()[:32]
    event_id, called_at = cache.call_id(f"{call.portal}.robot.{name}.{digest}", at)
    return Event(
        event_id=event_id,
        portal=call.portal,
        name=ROBOT_PREFIX + name,
        time=iso(called_at),
        entity=document.kind,
        action=ROBOT_ACTION,
        entity_type_id=entity_type_id(document.kind),
        id=document.id,
        sent_at=None,
        domain=text_of(auth.get("domain")),
        member_id=text_of(auth.get("member_id")),
        handler_id=None,
        payload=params,
    )


def _auth(call: RobotCall) -> Mapping[str, Parsed]:
    return mapping(call.form.get("auth") or call.query.get("auth"))


def _without(value: Parsed, secrets: list[str]) -> Parsed:
    """Return a value without the fields and texts that hold one of these secrets."""
    if isinstance(value, dict):
        return {
            key: _without(item, secrets)
            for key, item in value.items()
            if not _holds(key, secrets) and not _holds(item, secrets)
        }
    if isinstance(value, list):
        return [_without(item, secrets) for item in value if not _holds(item, secrets)]
    return None if _holds(value, secrets) else value


def _holds(value: Parsed, secrets: list[str]) -> bool:
    return isinstance(value, str) and any(secret in value for secret in secrets)
