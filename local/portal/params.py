"""Parameters of a request: query and body merged, whatever the body's encoding."""

import json
from typing import Any

from starlette.formparsers import MultiPartException
from starlette.requests import Request

from local.portal.php import parse_pairs, parse_query

MAX_BODY = 32 * 1024 * 1024
_MAX_DEPTH = 512  # json_decode gives up there, and PHP goes on without parameters


class BodyTooLargeError(Exception):
    """More than the web server in front of the portal lets through."""


async def read_params(request: Request) -> Any:
    """Read query and body [JS, PHP SDKs send telemetry in the query beside a JSON body].

    A body that can't be read counts as empty, as in PHP. A JSON array stays a list: old `task.*`
    methods bind their arguments by order.
    """
    query = parse_query(request.url.query)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        body: Any = await _multipart(request)
    else:
        raw = await read_body(request)
        body = _json(raw) if kind == "application/json" or raw[:1] in b"{[" else _form(raw)
    if isinstance(body, list):
        return body if not query else query | {str(i): value for i, value in enumerate(body)}
    return query | body


async def read_body(request: Request) -> bytes:
    """Read the body, up to what the web server lets through."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise BodyTooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


async def _multipart(request: Request) -> dict[str, Any]:
    if int(request.headers.get("content-length", 0) or 0) > MAX_BODY:
        raise BodyTooLargeError
    try:
        form = await request.form(max_fields=10_000)
    except (MultiPartException, ValueError, KeyError):
        return {}
    pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    return parse_pairs(pairs)


def _form(raw: bytes) -> dict[str, Any]:
    return parse_query(raw.decode("utf-8", "replace"))


def _json(raw: bytes) -> Any:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    if _too_deep(value):
        return {}
    return value if isinstance(value, dict | list) else {}


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
