"""What a default of a description means at the moment of writing: `$now`, `$user`, …."""

from collections.abc import Callable
from typing import Any

from local.portal.call import Call

_TOKENS: dict[str, Callable[[Call, int], Any]] = {
    "$now": lambda call, _: call.portal.clock.stamp(),
    "$plain": lambda call, _: call.portal.clock.stamp()[:19].replace("T", " "),
    "$site": lambda call, _: call.portal.clock.site_stamp(),
    "$user": lambda call, _: call.user,
    "$id": lambda _, number: number,
    "$code": lambda _, number: str(number),
    "$address": lambda call, number: f"https://{call.portal.domain}/rest/download?id={number}",
    "$hash": lambda call, _: f"{call.portal.random.getrandbits(128):032x}",
}


def fill(call: Call, value: Any, number: int) -> Any:
    """Put a value in the place of a token; anything else stays as it is."""
    token = _TOKENS.get(value) if isinstance(value, str) else None
    return token(call, number) if token else value
