"""One run of a reaction for one record: each of its writes is done once, whoever still waits.

A write is looked up among the record's checkpoints first; it is sent with its intent stored where
running it twice would show, and its result is noted. How that holds in every order of events
stands in relay.reaction.checkpoint.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Protocol

from relay.echo.stamps import Stamp, stamp_of
from relay.errors import CallError, ConditionFailedError, MayHaveRunError, TransientError
from relay.portal import PortalApi
from relay.portal.batch import BATCH
from relay.portal.ids import ids_of
from relay.reaction import lookup
from relay.reaction.checkpoint import CLOCK_SECONDS, CUT_OFF_SECONDS, Row, Write, digest_of
from relay.reaction.lease import Lease
from relay.reaction.matching import Claims
from relay.reaction.writes import is_harmless_write, replay, send, stored
from relay.state_table import StateTable

UNDECIDED = "UNDECIDED"  # the code of an error that asks a person


class WriteNotes(Protocol):
    """Who hears of a run's writes; only `before` may raise."""

    async def before(self, write: Write, params: Mapping[str, Any]) -> None:
        """Hear of a write that is to be sent."""

    async def failed(self, write: Write, error: BaseException) -> None:
        """Hear of the error of one that can't be under way."""

    async def after(self, write: Write, params: Mapping[str, Any], result: Any) -> None:
        """Hear of the result of one that has run."""


class Run:
    """One run of a reaction for one record.

    `until` is when nothing of this invocation can be under way any more; `redriven` says that a
    person has sent the record back; what was sent before `decided`, that person has looked for and
    not found. `noting` hears of each write (echoes and budget stand there).
    """

    def __init__(  # noqa: PLR0913  what a run is made of
        self,
        row: Row,
        token: str,
        until: float,
        state: StateTable,
        log: Callable[..., None],
        *,
        redriven: bool = False,
        decided: float = 0.0,
        noting: WriteNotes | None = None,
    ) -> None:
        self.lease = Lease(row, token, until, state)
        self.claims = Claims(row, redriven=redriven)
        self._decided = decided
        self.replayed = 0
        self._row = row
        self._log = log
        self._noting = noting
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lost: dict[Write, TransientError] = {}
        self._refusal: ConditionFailedError | None = None
        self._busy_until = 0.0

    async def write(self, portal: PortalApi, method: str, params: Mapping[str, Any]) -> Any:
        """Do a write once; it is finished even if its caller is cancelled."""
        task = asyncio.get_running_loop().create_task(self._write(portal, method, params))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def settled(self) -> None:
        """Wait for the writes under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def finish(self, *, failed: bool = False) -> None:
        """Wait for the writes under way, store what is not stored, give the row free.

        A table that does not take it is only logged: the next delivery waits for the lease.
        """
        self.claims.closed = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        if failed:
            self._row.failures += 1
        try:
            if failed and not self.lease.is_ours:
                await self.lease.store()  # taken, so that it can be counted
            if self.lease.is_ours:
                await self.lease.end(self._busy_until)
        except Exception as trouble:  # noqa: BLE001  the write has been done, the record may go
            self._log("not recorded", reason=str(trouble))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # who asked may be gone

    async def _write(self, portal: PortalApi, method: str, params: Mapping[str, Any]) -> Any:
        self.claims.moved(1)
        try:
            return await self._once(portal, method, params)
        finally:
            self.claims.moved(-1)

    async def _once(self, portal: PortalApi, method: str, params: Mapping[str, Any]) -> Any:
        digest = digest_of(params)
        harmless = is_harmless_write(method, params)
        write, fresh = await self._claim(portal, method, digest, harmless=harmless)
        if write.done:
            self.replayed += 1
            if write.digest != digest:
                self._log("replayed with other parameters", method=method, number=write.number)
            return await self._replay(portal, write, params, digest)
        try:
            return await self._do(portal, write, params, digest, fresh=fresh, harmless=harmless)
        finally:
            if write in self._row.writes and not write.done:
                self.claims.give_back(write, digest)

    async def _replay(
        self, portal: PortalApi, write: Write, params: Mapping[str, Any], digest: str
    ) -> Any:
        answered = False
        try:
            result = await replay(portal, write.method, params, write.result)
            answered = write.method != BATCH or not any(
                isinstance(its, CallError) for its in result["results"].values()
            )
        finally:
            if not answered:
                self.claims.give_back(write, digest)
        write.result = stored(write.method, params, result)
        return result

    async def _do(  # noqa: PLR0913  a call, and what is known of it
        self,
        portal: PortalApi,
        write: Write,
        params: Mapping[str, Any],
        digest: str,
        *,
        fresh: bool,
        harmless: bool,
    ) -> Any:
        mark = None
        if not harmless:
            if write in self._lost:
                raise self._lost[write]
            mark = stamp_of(write.method, params, _mark_key(self._row.key, write))
            if not fresh:
                result = await self._look(portal, write, params, mark)
                if result is not None:
                    return await self._ran(portal, write, params, digest, result)
                if write.at < self._decided:
                    write.at = time.time()  # from now on it may be there all the same
                    with portal.busy():
                        await self.lease.store()
        return await self._send(portal, write, params, mark, digest, harmless=harmless)

    async def _claim(
        self, portal: PortalApi, method: str, digest: str, *, harmless: bool
    ) -> tuple[Write, bool]:
        """Return the write that a call is and whether it is new; the row is ours, it is stored."""
        while True:
            write = await self.claims.find(method, digest)
            fresh = write is None
            if write is None:
                write = self._row.add(method, digest, time.time())
            self.claims.take(write)
            if write.done or (self.lease.is_ours and (harmless or not fresh)):
                return write, fresh
            try:
                self.lease.check(method)
                with portal.busy():
                    await self.lease.store()
            except ConditionFailedError as refusal:
                if refusal is not self._refusal:  # else a sibling has seen to it
                    self._refusal = refusal
                    self.claims.take_over(Row.of(self._row.key, refusal.item, time.time()))
                continue
            except Exception:
                if fresh:
                    self.claims.forget(write)
                else:
                    self.claims.give_back(write, digest)
                raise
            if self.claims.closed and fresh:
                self.claims.forget(write)
                raise asyncio.CancelledError
            if write in self._row.writes:
                return write, fresh

    async def _look(
        self, portal: PortalApi, write: Write, params: Mapping[str, Any], mark: Stamp | None
    ) -> Any:
        """Return the result of a write whose intent is all that is known of it; None: not made."""
        decided = write.at < self._decided
        if mark is None:
            if decided:
                return None
            raise self._undecided(write, "nothing that it makes can be looked for")
        try:
            result = await lookup.find(portal, write.method, params, mark, write.at)
        except MayHaveRunError as unclear:
            if decided:
                return None
            raise self._undecided(write, unclear.description) from unclear
        self._log("looked for", method=write.method, found=result is not None)
        return ids_of(result)

    async def _send(  # noqa: PLR0913  a call, and what is known of it
        self,
        portal: PortalApi,
        write: Write,
        params: Mapping[str, Any],
        mark: Stamp | None,
        digest: str,
        *,
        harmless: bool,
    ) -> Any:
        params = mark.put_on(params) if mark else params
        try:
            if self._noting:
                with portal.busy():
                    await self._noting.before(write, params)
            result = await send(portal, write.method, params)
        except MayHaveRunError as error:
            if mark is None and not harmless:
                raise self._undecided(write, str(error)) from error
            self._busy_until = time.time() + CUT_OFF_SECONDS
            said = f"its answer was lost ({error}); it is looked for when it can't be running"
            wait = CUT_OFF_SECONDS + CLOCK_SECONDS
            its = TransientError(write.method, "ANSWER_LOST", said, retry_after=wait)
            self._lost[write] = its
            raise its from error
        except BaseException as error:  # it was refused, or never left
            self.claims.forget(write)
            if self._noting:
                with portal.busy():
                    await self._noting.failed(write, error)
            raise
        return await self._ran(portal, write, params, digest, result)

    async def _ran(
        self, portal: PortalApi, write: Write, params: Mapping[str, Any], digest: str, result: Any
    ) -> Any:
        """Note a result; what the run stores next takes it along."""
        write.done, write.digest = True, digest
        write.result = stored(write.method, params, result)
        if self._noting:
            with portal.busy():
                await self._noting.after(write, params, result)
        return result

    @staticmethod
    def _undecided(write: Write, why: str) -> MayHaveRunError:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(write.at))
        said = (
            f"sent at {when} UTC, and whether it ran is not known: {why}; look in the portal: "
            "if it is there, delete this message, if not, `make redrive` sends it"
        )
        return MayHaveRunError(write.method, UNDECIDED, said)


def _mark_key(row: str, write: Write) -> str:
    return sha256(f"{row} {write.method} {write.number}".encode()).hexdigest()[:24]
