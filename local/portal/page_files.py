"""The page's files. The first answer has all that the first paint needs.

They are read where the request is answered, without a thread: each takes some microseconds.
"""

import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_PAGE = Path(__file__).parent / "page"
_STYLE = '<link rel="stylesheet" href="page/style.css">'
_HEADERS = {"Cache-Control": "no-cache"}


async def index(_request: Request) -> Response:
    """The page with its style in it."""
    html, style = (
        (_PAGE / "index.html").read_text("utf-8"),
        (_PAGE / "style.css").read_text("utf-8"),
    )
    html = html.replace(_STYLE, f"<style>\n{style}</style>")
    return Response(html, media_type="text/html", headers=_HEADERS)


async def script(request: Request) -> Response:
    """One script of the page."""
    name = request.path_params["name"]
    path = _PAGE / name
    if not re.fullmatch(r"[a-z]+\.js", name) or not path.is_file():
        raise HTTPException(404)
    return Response(path.read_bytes(), media_type="text/javascript", headers=_HEADERS)
