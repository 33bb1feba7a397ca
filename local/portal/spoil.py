"""What faults do to the answer itself: pages in the place of JSON, cuts, delays."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from local.portal.faults import Fault

_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"
_PAGES = {
    "html_200": (200, "Maintenance"),
    "html_403": (403, "403 Forbidden"),
    "html_500": (500, "500 Internal Server Error"),
    "html_502": (502, "502 Bad Gateway"),
}


def page(status: int, title: str) -> Response:
    """A page where JSON was expected."""
    return Response(_PAGE.format(title), status, media_type="text/html")


async def spoil(fault: Fault, request: Request, response: Response | None) -> Response | None:
    """Do to the answer what the fault says; None where it goes out as it is."""
    if fault.kind in _PAGES:
        return page(*_PAGES[fault.kind])
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
        return None
    if fault.kind == "empty":
        return Response(b"", media_type="application/json")
    if fault.kind == "truncated":
        body = bytes(response.body) if response else b'{"result":{"items":['
        return Response(body[: max(1, len(body) // 2)], media_type="application/json")
    if fault.kind == "timeout":
        await asyncio.sleep(fault.seconds)
    abort = request.scope.get("portal.abort")
    if abort is not None:
        abort()
    return page(500, "500 Internal Server Error")
