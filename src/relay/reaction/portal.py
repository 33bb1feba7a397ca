"""The portal that a reaction gets: reads pass through, writes are the run's."""

from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AbstractContextManager
from typing import Any

from relay.errors import CallError, PermanentError
from relay.portal import PortalApi
from relay.portal.batch import BATCH
from relay.portal.idempotent import is_read
from relay.reaction.run import Run


class OncePortal:
    """The portal that a reaction gets: as `relay.portal.Portal`, each write once a record."""

    def __init__(self, portal: PortalApi, run: Run) -> None:
        self._portal = portal
        self._run = run

    @property
    def requests(self) -> int:
        """How many requests were sent for all records of this function."""
        return self._portal.requests

    async def call(self, method: str, /, **params: Any) -> Any:
        """Return the `result` of a REST method, of a write its ids only; raises a CallError."""
        if not is_read(method):
            return await self._run.write(self._portal, method, params)
        return await self._counted(self._portal.call(method, **params))

    async def list(self, method: str, /, **params: Any) -> AsyncIterator[Any]:
        """Iterate over all items of a list method, in the order of their ids."""
        self._run.claims.moved(1)
        try:
            async for item in self._portal.list(method, **params):
                yield item
        finally:
            self._run.claims.moved(-1)

    async def batch(
        self,
        commands: Mapping[str, tuple[str, Mapping[str, Any]]],
        *,
        halt: bool = False,
        return_errors: bool = False,
    ) -> dict[str, Any]:
        """Run commands in one request, in order; one with a write in it is one write.

        The writes return ids only, and the reads of a batch that was done are asked anew. Of such a
        batch nothing can be looked for, and where a part of it has run, what failed stays undone:
        calls of their own, which share requests by themselves, are safer.
        """
        how = {"halt": halt, "return_errors": return_errors}
        if all(is_read(method) for method, _ in commands.values()):
            return await self._counted(self._portal.batch(commands, **how))
        params = {"commands": commands, "halt": halt}
        outcomes = await self._run.write(self._portal, BATCH, params)
        for name, said in outcomes["errors"].items():
            if not return_errors:
                what = f"partly run, the rest is up to you; {name}: {': '.join(said)}"
                raise PermanentError(BATCH, "PARTLY_RUN", what)
            outcomes["results"][name] = PermanentError(*said)
        results = {name: outcomes["results"][name] for name in commands}
        for its in results.values():
            if isinstance(its, CallError) and not return_errors:
                raise its
        return results

    def busy(self) -> AbstractContextManager[None]:
        """Hold requests back while I/O of your own is under way that may bring further calls."""
        return self._portal.busy()

    async def settled(self) -> None:
        """Wait until no write of this record is under way, cancelled callers' included."""
        await self._run.settled()

    async def _counted[T](self, call: Coroutine[Any, Any, T]) -> T:
        self._run.claims.moved(1)
        try:
            return await call
        finally:
            self._run.claims.moved(-1)


_is_one: type[PortalApi] = OncePortal  # mypy proves it
