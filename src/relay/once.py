"""A portal as one run of a reaction sees it: what was done for this record is not done again.

Reads pass through. A write is looked up among the record's checkpoints first; it is sent with its
intent stored where running it twice would show, and its result is noted, whoever still waits for
it. How that holds in every order of events stands in relay.checkpoints.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Any, Protocol

from relay import lost
from relay.checkpoints import (
    CLOCK_SECONDS,
    CUT_OFF_SECONDS,
    DoneBefore,
    Row,
    Write,
    digest_of,
    match,
)
from relay.errors import (
    DivergedError,
    MayHaveRunError,
    PermanentError,
    PortalError,
    StateError,
    TransientError,
)
from relay.portal.repeat import is_harmless, only_reads
from relay.state import RefusedError, State

QUIET_SECONDS = 0.5  # without a call of the run, before a recorded write is given to another call
AGAIN_SECONDS = 30.0  # at most, until a record that another copy works on is looked at again
BATCH = "batch"
_pause = asyncio.sleep


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


class Saved:
    """A row on its way into the table: taken under a condition, then simply put."""

    def __init__(self, row: Row, run: "Run") -> None:
        self._row = row
        self._run = run
        self.name = f"row {row.key}"

    @property
    def conditional(self) -> bool:
        """Whether the row is not this run's yet."""
        return self._row.owner != self._run.token

    def merge(self, other: Any) -> None:
        """Take in nothing: the row is written as it is when the request leaves."""

    def make(self, table: str) -> dict[str, Any]:
        """Return the row's item, or the transaction that takes it."""
        row, seen = self._row, self._row.owner
        now = time.time()
        if seen == self._run.token:
            return row.to_item(now)
        self._run.check_lease()
        item = {**row.to_item(now), "owner": {"S": self._run.token}}
        item["until"] = {"N": f"{self._run.until:.3f}"}
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if seen:
            # Whoever wrote it last has ended: until is over, and only a new owner writes now.
            condition = {
                "ConditionExpression": "#owner = :seen",
                "ExpressionAttributeNames": {"#owner": "owner"},
                "ExpressionAttributeValues": {":seen": {"S": seen}},
            }
        again = "ReturnValuesOnConditionCheckFailure"
        return {"Put": {"TableName": table, "Item": item, **condition, again: "ALL_OLD"}}


class Run:
    """One run of a reaction for one record.

    `until` is when nothing of this invocation can be under way any more; `redriven` says that a
    person has looked at it and sent it back; `before` is awaited before each write with its
    method and parameters (echoes and budget stand there).
    """

    def __init__(  # noqa: PLR0913  what a run is made of
        self,
        row: Row,
        token: str,
        until: float,
        state: State,
        log: Callable[..., None],
        *,
        redriven: bool = False,
        before: Callable[[str, Mapping[str, Any]], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.row = row
        self.token = token
        self.until = until
        self.redriven = redriven
        self.replayed = 0
        self.under_way = 0
        self.closed = False
        self._state = state
        self._log = log
        self._before = before
        self._claimed: set[Write] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._held: Counter[str] = Counter()
        self._steps = 0
        self._refusal: RefusedError | None = None
        self._busy_until = 0.0

    def portal(self, portal: Calls) -> "OncePortal":
        """Return what the reaction gets for a portal."""
        return OncePortal(portal, self)

    async def write(self, portal: Calls, method: str, params: Mapping[str, Any]) -> Any:
        """Do a write once; it is finished even if its caller is cancelled."""
        task = asyncio.get_running_loop().create_task(self._write(portal, method, params))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def finish(self, *, failed: bool = False) -> None:
        """Wait for the writes under way, store what is not stored, give the row free.

        A table that does not take it is only logged: the next delivery waits for the lease.
        """
        self.closed = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        if failed:
            self.row.failures += 1
        try:
            if failed and not self._owned:
                await self._save()  # taken, so that it can be counted
            if self._owned:
                await self._save(until=self._busy_until)
        except (StateError, RefusedError, TransientError) as trouble:
            self._log("not recorded", reason=str(trouble))

    def check_lease(self, method: str = "") -> None:
        """Raise TransientError while another run owns the row."""
        seconds = self.row.until + CLOCK_SECONDS - time.time()
        if self.row.owner and not self._owned and seconds > 0:
            said = "another delivery of this record is at work, or was killed"
            seconds = min(seconds, AGAIN_SECONDS)
            raise TransientError(method or "reaction", "IN_PROGRESS", said, retry_after=seconds)

    @property
    def _owned(self) -> bool:
        return self.row.owner == self.token

    def moved(self, by: int) -> None:
        """Count a call that begins or ends."""
        self.under_way += by
        self._steps += 1

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # who asked may be gone

    async def _write(self, portal: Calls, method: str, params: Mapping[str, Any]) -> Any:
        self.moved(1)
        try:
            return await self._once(portal, method, params)
        finally:
            self.moved(-1)

    async def _once(self, portal: Calls, method: str, params: Mapping[str, Any]) -> Any:
        digest = digest_of(params)
        harmless = is_harmless_write(method, params)
        write, fresh = await self._claim(portal, method, digest, harmless=harmless)
        if write.done:
            self.replayed += 1
            if write.digest != digest:
                self._log("replayed with other parameters", method=method, number=write.number)
            return json.loads(write.result)
        mark = None
        if not harmless:
            mark = lost.mark_of(method, params, _mark_key(self.row.key, write))
            if not (fresh or self.redriven):
                result = await self._look(portal, write, params, mark)
                if result is not None:
                    return self._done(write, digest, result)
        return await self._send(portal, write, params, mark, digest, harmless=harmless)

    async def _claim(
        self, portal: Calls, method: str, digest: str, *, harmless: bool
    ) -> tuple[Write, bool]:
        """Return the write that a call is and whether it is new; the row is owned, it is stored."""
        while True:
            write = await self._match(method, digest)
            fresh = write is None
            if write is None:
                write = self.row.add(method, digest, time.time())
            self._claimed.add(write)
            self._steps += 1
            if write.done or (self._owned and (harmless or not fresh)):
                return write, fresh
            self.check_lease(method)
            try:
                with portal.busy():
                    await self._save()
            except RefusedError as refusal:
                if refusal is not self._refusal:  # else a sibling has seen to it
                    self._refusal = refusal
                    self._take_over(Row.of(self.row.key, refusal.item, time.time()))
                continue
            except StateError:
                self._forget(write)
                raise
            if self.closed and fresh:
                self._forget(write)
                raise asyncio.CancelledError
            if write in self.row.writes:
                return write, fresh

    def _take_over(self, stored: Row) -> None:
        """Go on with what is stored; what was replayed already stays claimed."""
        replayed = {(its.method, its.number) for its in self._claimed if its.done}
        self.row.take_over(stored)
        self._claimed = {its for its in self.row.writes if (its.method, its.number) in replayed}

    def _forget(self, write: Write) -> None:
        """Take back an intent of what was not done."""
        if write in self.row.writes:
            self.row.writes.remove(write)
        self._claimed.discard(write)

    async def _match(self, method: str, digest: str) -> Write | None:
        quiet = False
        while True:
            try:
                found = match(self.row, self._claimed, method, digest, quiet=quiet)
            except DoneBefore:
                await self._until_quiet(method)
                quiet = True
                continue
            if isinstance(found, str) and found in self._held:
                await self._until_quiet(method)  # a sibling that waits too will take it
                continue
            if isinstance(found, str):
                if self.redriven:
                    return None
                raise DivergedError(
                    f"{method} is called where the first run called {found}; what that run did "
                    "stays done; `make redrive` does this too"
                )
            return found

    async def _until_quiet(self, method: str) -> None:
        self.under_way -= 1  # what waits here is not what the others wait for
        self._held[method] += 1
        try:
            seen = None
            while seen != self._steps or self.under_way:
                seen = self._steps
                await _pause(QUIET_SECONDS)
                if self.closed:
                    raise asyncio.CancelledError
        finally:
            self.under_way += 1
            self._held[method] -= 1
            self._held += Counter()  # what is 0 is not in it

    async def _look(
        self, portal: Calls, write: Write, params: Mapping[str, Any], mark: lost.Mark | None
    ) -> Any:
        """Return the result of a write whose intent is all that is known of it; None: not made."""
        if mark is None:
            raise self._undecided(write, "nothing that it makes can be looked for")
        try:
            result = await lost.find(portal, write.method, params, mark, write.at)
        except MayHaveRunError as unclear:
            raise self._undecided(write, unclear.description) from unclear
        self._log("looked for", method=write.method, found=result is not None)
        return result

    async def _send(  # noqa: PLR0913  a call, and what is known of it
        self,
        portal: Calls,
        write: Write,
        params: Mapping[str, Any],
        mark: lost.Mark | None,
        digest: str,
        *,
        harmless: bool,
    ) -> Any:
        sent = mark.put_on(params) if mark else params
        try:
            if self._before:
                with portal.busy():
                    await self._before(write.method, params)
            if write.method == BATCH:
                result = await _run_batch(portal, sent)
            else:
                result = await portal.call(write.method, **sent)
        except MayHaveRunError as error:
            if mark is None and not harmless:
                raise self._undecided(write, str(error)) from error
            self._busy_until = time.time() + CUT_OFF_SECONDS
            said = f"its answer was lost ({error}); it is looked for when it can't be running"
            wait = CUT_OFF_SECONDS + CLOCK_SECONDS
            raise TransientError(write.method, "ANSWER_LOST", said, retry_after=wait) from error
        except BaseException:  # it was refused, or never left
            self._forget(write)
            raise
        return self._done(write, digest, result)

    def _done(self, write: Write, digest: str, result: Any) -> Any:
        """Note a result; what the run stores next takes it along."""
        write.done, write.digest = True, digest
        write.result = json.dumps(result, ensure_ascii=False, default=str)
        return result

    async def _save(self, until: float | None = None) -> None:
        """Store the row, and own it from now on - or until then, if nothing more is to come."""
        if until is not None:
            self.row.until = until
        await self._state.write(Saved(self.row, self))
        if until is None:
            self.row.owner, self.row.until = self.token, self.until

    @staticmethod
    def _undecided(write: Write, why: str) -> MayHaveRunError:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(write.at))
        said = (
            f"sent at {when} UTC, and whether it ran is not known: {why}; look in the portal: "
            "if it is there, delete this message, if not, `make redrive` sends it"
        )
        return MayHaveRunError(write.method, "UNDECIDED", said)


class OncePortal:
    """The portal that a reaction gets: as `relay.portal.Portal`, each write once a record."""

    def __init__(self, portal: Calls, run: Run) -> None:
        self._portal = portal
        self._run = run

    async def call(self, method: str, /, **params: Any) -> Any:
        """Return the `result` of a REST method; raises a PortalError."""
        if not only_reads(method):
            return await self._run.write(self._portal, method, params)
        return await self._counted(self._portal.call(method, **params))

    async def list(self, method: str, /, **params: Any) -> AsyncIterator[Any]:
        """Iterate over all items of a list method, in the order of their ids."""
        self._run.moved(1)
        try:
            async for item in self._portal.list(method, **params):
                yield item
        finally:
            self._run.moved(-1)

    async def batch(
        self,
        commands: Mapping[str, tuple[str, Mapping[str, Any]]],
        *,
        halt: bool = False,
        return_errors: bool = False,
    ) -> dict[str, Any]:
        """Run commands in one request, in order; one with a write in it is one write.

        Of such a batch nothing can be looked for, and where a part of it has run, what failed
        stays undone: calls of their own, which share requests by themselves, are safer.
        """
        how = {"halt": halt, "return_errors": return_errors}
        if all(only_reads(method) for method, _ in commands.values()):
            return await self._counted(self._portal.batch(commands, **how))
        params = {"commands": commands, "halt": halt}
        outcomes = await self._run.write(self._portal, BATCH, params)
        for name, said in outcomes["errors"].items():
            if not return_errors:
                what = f"partly run, the rest is up to you; {name}: {': '.join(said)}"
                raise PermanentError(BATCH, "PARTLY_RUN", what)
            outcomes["results"][name] = PermanentError(*said)
        return {name: outcomes["results"][name] for name in commands}

    def busy(self) -> AbstractContextManager[None]:
        """Hold requests back while I/O of your own is under way that may bring further calls."""
        return self._portal.busy()

    async def _counted[T](self, call: Coroutine[Any, Any, T]) -> T:
        self._run.moved(1)
        try:
            return await call
        finally:
            self._run.moved(-1)


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


def _mark_key(row: str, write: Write) -> str:
    return sha256(f"{row} {write.method} {write.number}".encode()).hexdigest()[:24]
