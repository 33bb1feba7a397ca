"""The arguments of a reaction, read once at import; a function that could not run is refused."""

import inspect
from collections.abc import Awaitable, Callable
from typing import get_type_hints

from relay.change import Change
from relay.event import Event

ARGUMENTS = 2  # a change or an event, and a portal
Subject = type[Event] | type[Change]


def read_signature(react: Callable[..., Awaitable[None]]) -> tuple[Subject, bool]:
    """Return the type that a reaction subscribes to, and whether it wants a portal.

    Raises TypeError, which names the function, the mistake and the right signature.
    """
    try:
        names = _arguments(react)
        return _subject(react, names[0]), len(names) > 1
    except TypeError as wrong:
        name = getattr(react, "__name__", repr(react))
        right = f"async def {name}(change: Change, portal: PortalApi) -> None"
        message = f"{name} is no reaction: {wrong}; write `{right}`, or with `event: Event`"
        raise TypeError(message) from None


def _arguments(react: Callable[..., Awaitable[None]]) -> list[str]:
    """Return the names of the one or two arguments that a reaction is given by position."""
    if not inspect.iscoroutinefunction(react):
        raise TypeError("it is not written with `async def`, or it yields")
    parameters = inspect.signature(react).parameters.values()
    by_position = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    given = [one.name for one in parameters if one.kind in by_position][:ARGUMENTS]
    if not given:
        raise TypeError("it takes no argument by position")
    needs = by_position | {inspect.Parameter.KEYWORD_ONLY}
    surplus = [
        one.name
        for one in parameters
        if one.name not in given and one.kind in needs and one.default is one.empty
    ]
    if surplus:
        raise TypeError(f"nobody gives it {', '.join(surplus)}")
    return given


def _subject(react: Callable[..., Awaitable[None]], first: str) -> Subject:
    try:
        found = get_type_hints(react).get(first)
    except (NameError, AttributeError, SyntaxError, TypeError) as trouble:
        remedy = "import them at the top of the file, outside of `if`"
        raise TypeError(f"its annotations can't be resolved ({trouble}): {remedy}") from None
    if found is None:
        raise TypeError(f"its first argument, {first}, has no type")
    if found is Event:
        return Event
    if found is Change:
        return Change
    shown = getattr(found, "__name__", found)
    raise TypeError(f"its first argument, {first}, is of type {shown}")
