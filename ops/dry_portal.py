"""A portal for a reaction that is tried: it reads what is there, and lists what it would write."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Self

from relay.portal import PortalApi
from relay.portal.api import Commands, Params, Result
from relay.portal.batch import raise_first
from relay.portal.idempotent import is_read


class Unwritten(dict[str, "Unwritten"]):
    """The result of a write that was not sent: whatever is asked of it is unknown as well."""

    def __missing__(self, _name: str) -> Self:
        """Return an unknown part."""
        return self

    def __str__(self) -> str:
        return "(new)"

    __repr__ = __str__


class DryPortal:
    """Stands for the portal of a reaction; `writes` are the calls that it would have sent."""

    def __init__(self, portal: PortalApi) -> None:
        self._portal = portal
        self.writes: list[tuple[str, Params]] = []

    @property
    def requests(self) -> int:
        """Return the number of requests that were sent, to read."""
        return self._portal.requests

    async def call(self, method: str, /, **params: object) -> Result:
        """Read, or list a write; raises a CallError of a read."""
        if is_read(method):
            return await self._portal.call(method, **params)
        self.writes.append((method, params))
        return Unwritten()

    def list(self, method: str, /, **params: object) -> AsyncIterator[Result]:
        """Iterate over all items of a list method."""
        return self._portal.list(method, **params)

    async def batch(
        self, commands: Commands, *, halt: bool = False, return_errors: bool = False
    ) -> dict[str, Result]:
        """Send a batch that only reads; list a batch with a write in it, command by command."""
        if all(is_read(method) for method, _ in commands.values()):
            return await self._portal.batch(commands, halt=halt, return_errors=return_errors)
        outcomes: dict[str, Result] = {}
        for name, (method, params) in commands.items():
            self.writes.append((method, params))
            outcomes[name] = Unwritten()
        return raise_first(outcomes)

    def busy(self) -> AbstractContextManager[None]:
        """Hold requests back during I/O of the caller."""
        return self._portal.busy()

    async def settled(self) -> None:
        """Wait until every read has ended."""
        await self._portal.settled()


_is_portal_api: type[PortalApi] = DryPortal  # checked by mypy
