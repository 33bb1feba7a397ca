"""Calls -> one request -> the outcome of each call, or a retry.

A batch is never repeated as it was: relay.portal.retry decides for each call in it.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping

from relay.errors import CallError, MayHaveRunError, TransientError
from relay.portal.answers import TOO_LARGE, Answer
from relay.portal.api import Outcome
from relay.portal.batch import BATCH, body_of, error_of_call, outcomes_of, times_of
from relay.portal.encoding import to_json
from relay.portal.http import NO_ANSWER, READ_SECONDS
from relay.portal.pending import Command, ExplicitBatch, PendingCall, Plan, plan_request
from relay.portal.request import exchange
from relay.portal.retry import Failure
from relay.portal.slots import Slots
from relay.portal.webhook_state import SLOW_SECONDS, WebhookState

MIN_SECONDS = 0.5  # with less time than this left no request is made
MAX_WAIT_SECONDS = 3600.0  # for a slot, if no function's end limits the wait


class Sender:
    """Sends the calls of one portal object, with its slots and within its function's time."""

    def __init__(
        self, state: WebhookState, slots: Slots, remaining_seconds: Callable[[], float]
    ) -> None:
        self._state = state
        self._slots = slots
        self._remaining_seconds = remaining_seconds
        self._jitter = 1.0  # of pauses; 0.5 to 1, new for each request
        self.requests = 0  # sent so far

    def batch_size(self) -> int:
        """Return how many commands a request may have now: 1 while `batch` itself is blocked."""
        return 1 if self._state.operating.seconds_blocked(BATCH) else self._state.batch_size

    async def take_slot(self) -> None:
        """Wait for a slot; raises TransientError if it would come after the function's time."""
        remaining = min(self._time_left("portal"), MAX_WAIT_SECONDS)
        latest = time.time() + max(remaining - self._state.request_seconds, 0)
        slot = await self._in_thread(self._slots.take, latest)
        await asyncio.sleep(max(slot - time.time(), 0))

    def accept(self, call: PendingCall) -> None:
        """Set a new call's deadline; raises TransientError as `_check` does."""
        call.ends_at = time.time() + self._remaining_seconds()
        self._check(call)

    def _check(self, call: PendingCall) -> None:
        """Set whether a call goes alone, and the time before which its method is blocked.

        Raises TransientError if its method is blocked for too long, or if the function was frozen
        while the call waited: another copy may have handled the call's message by now.
        """
        if time.time() > call.ends_at:
            raise _no_time(call.method)
        if call.method.lower() in self._state.methods_without_batch:
            call.send_alone()
        seconds = self._state.operating.seconds_blocked(call.method)
        if seconds >= self._remaining_seconds():
            reason = "its execution time is used up"
            raise TransientError(call.method, "OPERATION_TIME_LIMIT", reason, retry_after=seconds)
        call.not_before = time.time() + seconds if seconds else 0.0

    async def send(self, calls: list[PendingCall]) -> list[PendingCall]:
        """Send calls in one request and finish them; returns those to retry from `not_before` on.

        Calls that have run out of time fail, and calls whose method is blocked now are returned.
        """
        ready: list[PendingCall] = []
        to_retry: list[PendingCall] = []
        for call in calls:
            try:
                self._check(call)
            except TransientError as error:
                call.fail(error)
            else:
                (to_retry if call.not_before else ready).append(call)
        if ready:
            plan = plan_request(ready, self.batch_size())
            outcomes, failed_whole = await self._outcomes(plan)
            if any(_has_code(outcome, "QUERY_LIMIT_EXCEEDED") for outcome in outcomes.values()):
                await self._in_thread(self._slots.refused)
            self._jitter = random.uniform(0.5, 1)
            for call, commands in plan:
                if not self._finish(call, commands, outcomes, failed_whole=failed_whole):
                    to_retry.append(call)
        return to_retry

    async def _outcomes(self, plan: Plan) -> tuple[dict[str, Outcome], bool]:
        """Return {key: outcome} of all commands, and whether the request failed as a whole."""
        commands = {key: command for _, of_call in plan for key, command in of_call.items()}
        methods = {key: command.method for key, command in commands.items()}
        operating = self._state.operating
        try:
            if len(commands) == 1 and not isinstance(plan[0][0], ExplicitBatch):
                ((key, command),) = commands.items()
                answer = await self._exchange(command.method, to_json(command.params), 1)
                operating.record(command.method, answer.time)
                return {key: answer.result}, False
            halt = plan[0][0].halt
            queries = {key: command.query for key, command in commands.items()}
            answer = await self._exchange(BATCH, body_of(queries, halt=halt), len(queries))
            operating.record_batch(answer.time, times_of(methods, answer), methods)
            outcomes = outcomes_of(methods, answer, halt=halt)
        except CallError as error:
            if _has_code(error, "OPERATION_TIME_LIMIT"):
                operating.block(error.method)
            return {key: self._masked(error, method) for key, method in methods.items()}, True
        for key, outcome in outcomes.items():
            if _has_code(outcome, "OPERATION_TIME_LIMIT"):
                operating.block(methods[key])
            if _has_code(outcome, "ERROR_BATCH_METHOD_NOT_ALLOWED"):
                self._state.methods_without_batch.add(methods[key].lower())
        return {
            key: self._masked(outcome, methods[key]) for key, outcome in outcomes.items()
        }, False

    async def _exchange(self, method: str, body: bytes, commands: int) -> Answer:
        """Send one request with so many commands; adapts the batch size to how it went."""
        seconds = min(self._time_left(method), READ_SECONDS)
        started_at = time.monotonic()
        self.requests += 1
        try:
            answer = await self._in_thread(exchange, self._state, method, body, seconds)
        except CallError as error:
            # A portal that cuts a request off, or has no memory left for it, answers a page or 500.
            lost = isinstance(error, MayHaveRunError) and error.code != NO_ANSWER
            slow = time.monotonic() - started_at > SLOW_SECONDS
            if lost or slow or error.code == TOO_LARGE:
                self._state.shrink_batches(commands)
            raise
        self._state.record_duration(time.monotonic() - started_at, commands)
        return answer

    def _finish(
        self,
        call: PendingCall,
        commands: Mapping[str, Command],
        all_outcomes: Mapping[str, Outcome],
        *,
        failed_whole: bool,
    ) -> bool:
        """Finish a call with the outcomes of its commands; False if it is to be retried."""
        call.tries += 1
        outcomes = [all_outcomes[key] for key in commands]
        explicit = isinstance(call, ExplicitBatch)
        error = outcomes[0]
        # An explicit batch is retried only if the portal answered none of its commands.
        if isinstance(error, CallError) and (failed_whole or not explicit):
            failure = Failure(
                error,
                call.tries,
                1 if explicit else len(all_outcomes),
                idempotent=all(command.idempotent for command in commands.values()),
                blocked_seconds=self._state.operating.seconds_blocked(call.method),
                jitter=self._jitter,
            )
            pause = failure.pause_seconds()
            if pause is not None and pause < self._remaining_seconds() - MIN_SECONDS:
                call.not_before = time.time() + pause
                return False
            final = failure.final_error()
            outcomes = [error_of_call(final, command.method) for command in commands.values()]
        call.finish(outcomes)
        return True

    async def _in_thread[*Ts, T](self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._state.threads, function, *arguments)

    def _time_left(self, method: str) -> float:
        """Return the seconds until the function ends; raises TransientError if too few are left."""
        seconds = self._remaining_seconds()
        if seconds < MIN_SECONDS:
            raise _no_time(method)
        return seconds

    def _masked(self, outcome: Outcome, method: str) -> Outcome:
        """Return an outcome; an error without the secret, should the portal repeat it there."""
        if isinstance(outcome, CallError):
            return error_of_call(outcome, method, mask=self._state.webhook.mask)
        return outcome


def _no_time(method: str) -> TransientError:
    return TransientError(method, "NO_TIME", "the function's time is over", retry_after=0)


def _has_code(outcome: Outcome, code: str) -> bool:
    return isinstance(outcome, CallError) and outcome.code.upper() == code
