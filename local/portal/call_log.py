"""The log of REST requests: the newest ones with what was asked and answered, secrets masked."""

import json
import re
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from local.portal.activity import current
from local.portal.portal import Portal
from local.portal.table import Row

LONGEST = 16_384  # characters of a request, and of an answer, that are kept
MOST = 200  # requests that are kept so
_ADDRESS = re.compile(r"(/rest/(?:api/)?\d+/)[A-Za-z0-9]+")


def begin(portal: Portal, record: Row) -> None:
    """Number a request, and let what it touches be noted in its record."""
    portal.activity.last_call += 1
    record["number"], record["subjects"] = portal.activity.last_call, []
    current.set(record)


def note(record: Row, request: Request, params: Any) -> None:
    """Note a request's parameters; a long body is named by its length only."""
    length = request.headers.get("content-length", "0")
    record["request"] = f"({length} bytes)"
    if int(length if length.isdigit() else 0) <= LONGEST:
        with suppress(RecursionError):
            record["request"] = json.dumps(params)


def end(portal: Portal, record: Row, response: Response) -> None:
    """Keep a request with its answer."""
    request = record.pop("request", "")
    # A little more than is kept, so that no secret is cut where it can't be recognised.
    answered = bytes(response.body[: 2 * LONGEST]).decode(errors="replace")
    kept = portal.activity.bodies
    kept[record["number"]] = mask(portal, request)[:LONGEST], mask(portal, answered)[:LONGEST]
    if len(kept) > MOST:
        del kept[next(iter(kept))]
    portal.activity.calls.append(record)


def mask(portal: Portal, text: str) -> str:
    """Return a text without webhooks' secrets and tokens."""
    for secret in [*portal.incoming, *(one.token for one in portal.outgoing.values())]:
        text = text.replace(secret, "…")
    return _ADDRESS.sub(r"\1…", text)
