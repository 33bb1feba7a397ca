"""How a write is sent, alone or as a batch, and whether it may be sent twice."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from relay.errors import MayHaveRunError, PortalError
from relay.portal.repeat import is_harmless

BATCH = "batch"


class Calls(Protocol):
    """A portal, real or fake."""

    async def call(self, method: str, /, **params: Any) -> Any:
        """Return the result of a method."""

    def list(self, method: str, /, **params: Any) -> AsyncIterator[Any]:
        """Iterate over a list method's items."""

    async def batch(
        self,
        commands: Mapping[str, tuple[str, Mapping[str, Any]]],
        *,
        halt: bool = False,
        return_errors: bool = False,
    ) -> dict[str, Any]:
        """Run commands in one request."""

    def busy(self) -> AbstractContextManager[None]:
        """Hold requests back meanwhile."""


async def send(portal: Calls, method: str, params: Mapping[str, Any]) -> Any:
    """Send a write; return what is kept of its answer."""
    if method == BATCH:
        return await _run_batch(portal, params)
    return await portal.call(method, **params)


async def _run_batch(portal: Calls, params: Mapping[str, Any]) -> dict[str, Any]:
    """Run a batch; raise its error if none of it ran, or if that is not known."""
    outcomes = await portal.batch(**params, return_errors=True)
    errors = {name: its for name, its in outcomes.items() if isinstance(its, PortalError)}
    for error in errors.values():
        if isinstance(error, MayHaveRunError) or len(errors) == len(outcomes):
            raise error
    return {
        "results": {name: its for name, its in outcomes.items() if name not in errors},
        "errors": {name: [e.method, e.code, e.description] for name, e in errors.items()},
    }


def is_harmless_write(method: str, params: Mapping[str, Any]) -> bool:
    """Say whether running a write twice leaves the portal as running it once does."""
    if method == BATCH:
        return all(is_harmless(name, its) for name, its in params["commands"].values())
    return is_harmless(method, params)
