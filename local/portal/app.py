"""The routes: REST for everybody, the admin API and the page for whoever sits at this machine."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from local.portal import admin, page_files, rest
from local.portal.world import World

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_OWN_NAMES = {"127.0.0.1", "localhost", "[::1]"}


def make_app(world: World) -> Any:
    """Build the ASGI application."""

    async def rest_call(request: Request) -> Response:
        path = request.path_params["path"]
        return await rest.answer(world.of_path(path), request, path)

    app = Starlette(
        routes=[
            Route("/rest/{path:path}", rest_call, methods=_METHODS),
            Mount("/admin", routes=admin.routes(world)),
            Route("/", page_files.index),
            Route("/page/{name}", page_files.script),
        ]
    )

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        """Leave a way to cut the connection; keep other sites' pages away from the admin API."""
        if scope["type"] == "http":
            transport = getattr(getattr(send, "__self__", None), "transport", None)
            if transport is not None:
                scope["portal.abort"] = transport.abort
            if not scope["path"].startswith("/rest/") and not _is_local(scope):
                refusal = PlainTextResponse("only from this machine\n", 403)
                await refusal(scope, receive, send)
                return
        await app(scope, receive, send)

    return guarded


def _is_local(scope: Any) -> bool:
    """Whether this is neither a rebound name nor a request that another site's page made."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get(b"host", "")
    if host.rpartition(":")[0] not in _OWN_NAMES and host not in _OWN_NAMES:
        return False
    origin = headers.get(b"origin")
    return origin is None or origin.partition("://")[2] == host
