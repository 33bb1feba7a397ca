"""What a reaction may ask of its portal, real, once-only or fake."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol


class PortalApi(Protocol):
    """A portal: `Portal`, what a reaction gets, and `FakePortal` are all of this type."""

    @property
    def requests(self) -> int:
        """How many requests were sent."""

    async def call(self, method: str, /, **params: Any) -> Any:
        """Return the `result` of a REST method; raises a CallError."""

    def list(self, method: str, /, **params: Any) -> AsyncIterator[Any]:
        """Iterate over all items of a list method, in the order of their ids."""

    async def batch(
        self,
        commands: Mapping[str, tuple[str, Mapping[str, Any]]],
        *,
        halt: bool = False,
        return_errors: bool = False,
    ) -> dict[str, Any]:
        """Run commands in one request, in order; return their results by their names."""

    def busy(self) -> AbstractContextManager[None]:
        """Hold requests back while I/O of your own is under way that may bring further calls."""

    async def settled(self) -> None:
        """Wait until no call is under way, cancelled callers' included."""
