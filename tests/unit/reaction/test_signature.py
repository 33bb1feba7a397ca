"""relay.reaction.signature: the first mistakes of whoever writes a reaction are told at import."""

import re

import pytest

from relay.change import Change
from relay.event import Event
from relay.portal import Portal, PortalApi
from relay.reaction import reaction


async def _untyped(change, portal): ...
async def _empty() -> None: ...
async def _by_name(*, change: Change) -> None: ...
async def _third(change: Change, portal: Portal, more: int) -> None: ...
async def _keyword(change: Change, *, clock: int) -> None: ...
def _plain(change: Change) -> None: ...
async def _yields(change: Change):
    yield change


async def _number(change: int) -> None: ...
async def _either(change: Change | Event) -> None: ...
async def _unknown(change: "Chnge") -> None: ...  # noqa: F821
async def _no_python(change: "1 +") -> None: ...  # noqa: F722


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (_untyped, "its first argument, change, has no type"),
        (_empty, "it takes no argument"),
        (_by_name, "it takes no argument by position"),
        (_third, "nobody gives it more"),
        (_keyword, "nobody gives it clock"),
        (_plain, "not written with `async def`"),
        (_yields, "or it yields"),
        (_number, "its first argument, change, is of type int"),
        (_either, "is of type relay.change.Change | relay.event.Event"),
        (_unknown, "name 'Chnge' is not defined"),
        (_no_python, "can't be resolved"),
    ],
)
def test_a_function_that_could_not_run_is_refused_at_import(function, what):
    """The error names the function, the mistake and the right signature."""
    name = function.__name__
    right = f"async def {name}(change: Change, portal: PortalApi) -> None"
    with pytest.raises(TypeError, match=f"^{name} is no reaction: .*{re.escape(what)}") as caught:
        reaction(function)
    assert right in str(caught.value)


async def _clocked(change: Change, portal: Portal, clock: int = 0, *more, **others) -> None: ...
async def _typed_as_text(change: "Change", portal: "Portal") -> None: ...
async def _by_the_public_type(event: Event, portal: PortalApi) -> None: ...
async def _without_portal(event: Event, *, clock: int = 0) -> None: ...


@pytest.mark.parametrize(
    "function", [_clocked, _typed_as_text, _by_the_public_type, _without_portal]
)
def test_a_function_that_can_run_is_accepted(function):
    """Arguments with defaults, types in quotes, the public type and no portal are accepted."""
    assert reaction(function).name == function.__name__
