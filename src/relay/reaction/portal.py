"""The portal that a reaction gets: reads pass through, each write is done once a record."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractContextManager
from typing import Any

from relay.echo.calls import Call
from relay.errors import PermanentError
from relay.portal import PortalApi
from relay.portal.api import Commands, Params, Result
from relay.portal.batch import BATCH, raise_first
from relay.portal.idempotent import is_read
from relay.reaction.lookup import Lookup
from relay.reaction.once import OnceWriter
from relay.reaction.run import Run
from relay.reaction.write_notes import WriteNotes


class OncePortal:
    """The portal that a reaction gets; it has the methods of `relay.portal.Portal`."""

    def __init__(self, portal: PortalApi, run: Run, lookup: Lookup, notes: WriteNotes) -> None:
        self._portal = portal
        self._run = run
        self._writer = OnceWriter(portal, run, lookup, notes)

    @property
    def requests(self) -> int:
        """The number of requests that were sent for all records of this function."""
        return self._portal.requests

    def call(self, method: str, /, **params: object) -> Coroutine[Any, Any, Result]:
        """Return the `result` of a REST method, of a write its ids only; raises a CallError."""
        self._run.not_awaited[method] += 1
        return self._call(method, params)

    async def _call(self, method: str, params: Params) -> Result:
        self._run.not_awaited[method] -= 1
        if not is_read(method):
            return await self._writer.write(Call(method, params))
        with self._run.claims.call():
            return await self._portal.call(method, **params)

    async def list(self, method: str, /, **params: object) -> AsyncIterator[Result]:
        """Iterate over all items of a list method, in the order of their ids."""
        with self._run.claims.call():
            async for item in self._portal.list(method, **params):
                yield item

    def batch(
        self, commands: Commands, *, halt: bool = False, return_errors: bool = False
    ) -> Coroutine[Any, Any, dict[str, Result]]:
        """Run commands in one request, in order; a batch with a write in it is one write.

        The writes return ids only. When the batch is repeated, reads are sent again. Nothing of
        such a batch can be looked up, and where a part of it has run, the refused commands stay
        undone: calls of their own, which share requests by themselves, are safer.
        """
        self._run.not_awaited[BATCH] += 1
        return self._batch(commands, halt, return_errors)

    async def _batch(
        self, commands: Commands, halt: bool, return_errors: bool
    ) -> dict[str, Result]:
        self._run.not_awaited[BATCH] -= 1
        if all(is_read(method) for method, _ in commands.values()):
            with self._run.claims.call():
                return await self._portal.batch(commands, halt=halt, return_errors=return_errors)
        done = await self._writer.write(Call.batch(commands, halt=halt))
        for name, refusal in done.errors.items():
            if not return_errors:
                text = f"partly run, the rest is up to you; {name}: {': '.join(refusal)}"
                raise PermanentError(BATCH, "PARTLY_RUN", text)
            done.results[name] = PermanentError(*refusal)
        results = {name: done.results[name] for name in commands}
        return results if return_errors else raise_first(results)

    def busy(self) -> AbstractContextManager[None]:
        """Hold requests back while I/O of your own is under way that may bring further calls."""
        return self._portal.busy()

    async def settled(self) -> None:
        """Wait until no write of this record is under way, cancelled callers' included."""
        await self._run.settled()


_satisfies: type[PortalApi] = OncePortal  # mypy proves it
