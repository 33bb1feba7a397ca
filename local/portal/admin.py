"""The admin API: JSON for tests, the launcher and the page; not part of what Bitrix24 has."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from local.portal import admin_actions as actions
from local.portal import (  # noqa: F401  importing registers actions
    admin_calls,
    admin_items,
    admin_robots,
    admin_views,
    admin_webhooks,
)
from local.portal.errors import RestError
from local.portal.portal import Portal
from local.portal.seed import seed
from local.portal.world import World

_TICK_SECONDS = 0.1  # how often the page hears of what is new
_ALIVE_SECONDS = 15.0
Action = Callable[[Portal, dict[str, Any]], Any]


def routes(world: World) -> list[Route]:
    """One route an action: `POST /admin/<name>` with JSON; `?portal=` where there are several."""
    return [
        Route("/follow", partial(_follow, world)),
        Route("/settle", partial(_settle, world)),
        Route("/portals", partial(_portals, world), methods=["GET", "POST"]),
        *(
            Route(f"/{name}", _endpoint(world, action), methods=[verb])
            for (verb, name), action in actions.ACTIONS.items()
        ),
    ]


def _portal(world: World, request: Request) -> Portal:
    name = request.query_params.get("portal")
    try:
        return world.named(name)
    except KeyError:
        raise HTTPException(404, f"there is no portal {name}") from None


def _endpoint(world: World, action: Action) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            portal = world.named(request.query_params.get("portal"))
            given = await _given(request)
            return JSONResponse(action(portal, given))
        except KeyError as error:
            return _refusal(f"there is no {error.args[0]}")
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            return _refusal(str(error))
        except RestError as error:
            return JSONResponse(error.to_dict(), 400)

    return handle


async def _follow(world: World, request: Request) -> Response:
    portal = _portal(world, request)
    headers = {"Cache-Control": "no-cache"}
    return StreamingResponse(
        _news(world, portal, request), media_type="text/event-stream", headers=headers
    )


async def _settle(world: World, request: Request) -> Response:
    """Wait until no event waits or is under way."""
    portal = _portal(world, request)
    try:
        until = time.monotonic() + float(request.query_params.get("seconds", 10))
    except ValueError as error:
        return _refusal(str(error))
    while not portal.outbox.idle and time.monotonic() < until:  # noqa: ASYNC110  no event tells
        await asyncio.sleep(0.01)
    return JSONResponse({"idle": portal.outbox.idle, "sent": portal.outbox.sent})


async def _portals(world: World, request: Request) -> Response:
    """List the portals, or make another."""
    if request.method == "POST":
        given = await _given(request)
        try:
            name = str(given["name"])
            portal = world.add(name, str(given.get("domain") or f"{name}.bitrix24.example"))
        except (KeyError, ValueError) as error:
            return _refusal(str(error))
        portal.outbox.loop = asyncio.get_running_loop()
        if given.get("seed", True):
            seed(portal)
    return JSONResponse([portal.name for portal in world.portals.values()])


def _refusal(text: str) -> Response:
    return JSONResponse({"error": text}, 400)


async def _given(request: Request) -> dict[str, Any]:
    """JSON, or one JSON object a line (`lines`); the media type keeps simple forms out."""
    given: dict[str, Any] = dict(request.query_params)
    raw = await request.body()
    if not raw.strip():
        return given
    if "json" not in request.headers.get("content-type", ""):
        raise ValueError("send application/json")
    try:
        value = json.loads(raw)
        return given | (value if isinstance(value, dict) else {"lines": value})
    except ValueError:
        rows = [json.loads(line) for line in raw.splitlines() if line.strip()]
        return given | {"lines": rows}


async def _news(world: World, portal: Portal, request: Request) -> Any:
    """Server-sent events: what changed since the last tick, bundled, so that bursts stay small."""
    version, revision, quiet = -1, -1, 0.0
    while not (world.closing or await request.is_disconnected()):
        if version != portal.strip.version:
            rows = portal.strip.since(version)
            version, quiet = portal.strip.version, 0.0
            counters = portal.strip.counters | {"waiting": len(portal.outbox.waiting)}
            news = {"rows": rows, "counters": counters, "notice": portal.strip.notice}
            yield f"data: {json.dumps(news, separators=(',', ':'))}\n\n"
        if revision != portal.revision:
            revision = portal.revision
            yield f"event: items\ndata: {revision}\n\n"
        await asyncio.sleep(_TICK_SECONDS)
        quiet += _TICK_SECONDS
        if quiet > _ALIVE_SECONDS:
            quiet = 0.0
            yield ": alive\n\n"
