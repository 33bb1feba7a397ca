"""Does each write of a run once, whoever still waits for it.

A write is matched to the record's checkpoint first. It is sent with its intent stored where running
it twice would show, and its result is stored. relay.reaction.checkpoint says why that holds in
every order of events.
"""

import asyncio
import time
from collections.abc import Awaitable
from hashlib import sha256
from typing import NamedTuple

from relay.echo.calls import BatchResult, Call
from relay.echo.stamps import Stamp, put_on, stamp_of
from relay.errors import CallError, ConditionFailedError, MayHaveRunError, TransientError
from relay.portal import PortalApi
from relay.portal.api import Result
from relay.portal.ids import ids_of
from relay.reaction.checkpoint import CLOCK_SECONDS, CUT_OFF_SECONDS, Checkpoint, Write, digest_of
from relay.reaction.ignored_fields import ignored_fields
from relay.reaction.lookup import Lookup
from relay.reaction.run import NEEDS_OPERATOR, Run
from relay.reaction.write_notes import WriteNotes
from relay.reaction.writes import is_harmless, reduced, replay, send, to_text


class Attempt(NamedTuple):
    """A call in this run, and the recorded write that it stands for."""

    call: Call
    digest: str
    is_harmless: bool
    write: Write
    is_new: bool


class OnceWriter:
    """The writes of one run through one portal."""

    def __init__(self, portal: PortalApi, run: Run, lookup: Lookup, notes: WriteNotes) -> None:
        self._portal = portal
        self._run = run
        self._lookup = lookup
        self._notes = notes
        self._lost: dict[Write, TransientError] = {}

    async def write(self, call: Call) -> Result:
        """Do a write once; return its result reduced to ids, of a batch a BatchResult.

        Raises a CallError, DivergedError, LoopError, RowError or StateError.
        """
        return await self._run.finish_even_if_cancelled(self._write(call))

    async def _write(self, call: Call) -> object:
        with self._run.claims.call():
            attempt = await self._claim(call)
            if attempt.write.done:
                return await self._replay(attempt)
            try:
                return await self._do(attempt)
            finally:
                write = attempt.write
                if write in self._run.checkpoint.writes and not write.done:
                    self._run.claims.keep_for_retry(write, attempt.digest)

    async def _claim(self, call: Call) -> Attempt:
        """Claim the write that a call stands for, a new one if need be."""
        # A write that is not done comes back with the lease held. Unless it is harmless, its intent
        # is stored.
        run, digest, harmless = self._run, digest_of(call.params), is_harmless(call)
        while True:
            found = await run.claims.find(call.method, digest)
            write = found or run.checkpoint.add(call.method, digest, time.time())
            attempt = Attempt(call, digest, harmless, write, is_new=found is None)
            run.claims.claim(write)
            if write.done or (run.lease.is_ours and (harmless or not attempt.is_new)):
                return attempt
            try:
                run.lease.check(call.method)
                await self._held(run.lease.store())
            except ConditionFailedError as refusal:
                stored = Checkpoint.of(run.checkpoint.key, refusal.item, time.time())
                run.claims.switch_to(stored)
                continue
            except Exception:
                if attempt.is_new:
                    run.claims.drop_intent(write)
                else:
                    run.claims.keep_for_retry(write, digest)
                raise
            if run.claims.closed and attempt.is_new:
                run.claims.drop_intent(write)
                raise asyncio.CancelledError
            if write in run.checkpoint.writes:
                return attempt

    async def _replay(self, attempt: Attempt) -> object:
        """Return the stored result of a write that is done."""
        call, digest, _, write, _ = attempt
        self._run.replayed += 1
        if write.digest != digest:
            self._run.log(
                "replayed with other parameters", method=write.method, number=write.number
            )
        is_answered = False
        try:
            result = await replay(self._portal, call, write.result or "null")
            results = result.results.values() if isinstance(result, BatchResult) else ()
            is_answered = not any(isinstance(one, CallError) for one in results)
        finally:
            if not is_answered:
                self._run.claims.keep_for_retry(write, digest)
        write.result = to_text(call, result)
        return result

    async def _do(self, attempt: Attempt) -> object:
        """Send a write that is not done; one that may have run is looked up first."""
        if attempt.is_harmless:
            return await self._send(attempt, None)
        write, call = attempt.write, attempt.call
        if write in self._lost:
            raise self._lost[write]
        name = f"{self._run.checkpoint.key} {write.method} {write.number}"
        stamp = stamp_of(call.method, call.params, sha256(name.encode()).hexdigest()[:24])
        if not attempt.is_new:
            result = await self._look_up(attempt, stamp)
            if result is not None:
                return await self._done(attempt, call, result)
            if write.at < self._run.operator_confirmed_at:
                write.at = time.time()  # from now on it may be there all the same
                await self._held(self._run.lease.store())
        return await self._send(attempt, stamp)

    async def _look_up(self, attempt: Attempt, stamp: Stamp | None) -> object:
        """Return an interrupted create's result, None if it did not run; raises MayHaveRunError."""
        call, write = attempt.call, attempt.write
        is_confirmed = write.at < self._run.operator_confirmed_at
        if stamp is None:
            if is_confirmed:
                return None
            raise _needs_operator(write, "nothing that it makes can be looked up")
        try:
            result = await self._lookup.find(call.method, call.params, stamp, write.at)
        except MayHaveRunError as unclear:
            if is_confirmed:
                return None
            raise _needs_operator(write, unclear.description) from unclear
        self._run.log("looked up", method=write.method, found=result is not None)
        return ids_of(result)

    async def _send(self, attempt: Attempt, stamp: Stamp | None) -> object:
        call, write = attempt.call, attempt.write
        if stamp:
            call = Call(call.method, put_on(call.params, stamp))
        try:
            await self._held(self._notes.before(write, call))
            result = await send(self._portal, call)
        except MayHaveRunError as error:
            if stamp is None and not attempt.is_harmless:
                raise _needs_operator(write, str(error)) from error
            self._run.busy_until = time.time() + CUT_OFF_SECONDS
            text = f"the answer was lost ({error}); it is looked up when it can't be running"
            wait = CUT_OFF_SECONDS + CLOCK_SECONDS
            lost = TransientError(write.method, "ANSWER_LOST", text, retry_after=wait)
            self._lost[write] = lost
            raise lost from error
        except BaseException as error:  # it was refused, or never left
            self._run.claims.drop_intent(write)
            await self._held(self._notes.failed(write, error))
            raise
        return await self._done(attempt, call, result)

    async def _done(self, attempt: Attempt, call: Call, answered: object) -> object:
        """Record a result; it is stored with the next write of the checkpoint."""
        write, result = attempt.write, reduced(call, answered)
        write.done, write.digest = True, attempt.digest
        write.result = to_text(call, result)
        for finished in call.finished(answered):
            for field, reason in ignored_fields(finished):
                log = self._run.log
                log("field ignored", method=finished.method, field=field, reason=reason)
        await self._notes.author.user.check(self._portal, call, answered)
        await self._held(self._notes.after(write, call, answered))
        return result

    async def _held(self, io: Awaitable[None]) -> None:
        """Await I/O that may lead to further calls; no request leaves before."""
        with self._portal.busy():
            await io


def _needs_operator(write: Write, why: str) -> MayHaveRunError:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(write.at))
    text = (
        f"sent at {when} UTC, and whether it ran is not known: {why}; look in the portal: "
        "if it is there, `make drop` this letter, if not, `make redrive` it"
    )
    return MayHaveRunError(write.method, NEEDS_OPERATOR, text)
