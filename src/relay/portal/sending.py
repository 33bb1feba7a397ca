"""Units -> one request -> what became of each of them: settled, or to be sent again.

A batch is never repeated: each unit in it is judged by itself (relay.portal.retry).
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from relay.errors import CallError, TransientError
from relay.portal.answers import TOO_LARGE, Answer
from relay.portal.batch import body_of, of_call, outcomes_of, times_of
from relay.portal.encoding import to_json
from relay.portal.http import ANSWER_TOO_LARGE, READ_SECONDS, TIMEOUT
from relay.portal.pending import Command, ExplicitBatch, PendingCall
from relay.portal.request import exchange
from relay.portal.retry import Failure
from relay.portal.slots import Slots
from relay.portal.webhook_state import WebhookState

LEAST_SECONDS = 0.5  # with less than this left nothing is begun
LONGEST_SECONDS = 3600.0  # to wait for a slot where no function's time ends it
Plan = list[tuple[PendingCall, dict[str, Command]]]


class Sender:
    """How one portal object sends: with its slots, within its function's time."""

    def __init__(self, known: WebhookState, slots: Slots, remaining: Callable[[], float]) -> None:
        self._known = known
        self._slots = slots
        self._remaining = remaining
        self._jitter = 1.0
        self.requests = 0

    def size(self) -> int:
        """Return how many commands a request may have now; without `batch` one."""
        return 1 if self._known.wait_for("batch") else self._known.size

    async def take_slot(self) -> None:
        """Wait until a request may go; raises TransientError if that is after our time."""
        remaining = min(self._time_left("portal"), LONGEST_SECONDS)
        latest = time.time() + max(remaining - self._known.seconds_needed, 0)
        slot = await self._in_thread(self._slots.take, latest)
        await asyncio.sleep(max(slot - time.time(), 0))

    def accept(self, unit: PendingCall) -> None:
        """Give a new unit its end; raises TransientError if its method must wait longer."""
        unit.ends_at = time.time() + self._remaining()
        self._check(unit)

    def _check(self, unit: PendingCall) -> None:
        """Let a unit wait whose method must; raises TransientError if that is after its time.

        A function may be frozen with a call that waits, and thawed for another message while the
        first is handled elsewhere: then it must not be sent any more.
        """
        if time.time() > unit.ends_at:
            raise _no_time(unit.method)
        if unit.method.lower() in self._known.not_for_batch:
            unit.go_alone()
        seconds = self._known.wait_for(unit.method)
        if seconds >= self._remaining():
            said = "its execution time is used up"
            raise TransientError(unit.method, "OPERATION_TIME_LIMIT", said, retry_after=seconds)
        unit.not_before = time.time() + seconds if seconds else 0.0

    async def send(self, units: list[PendingCall]) -> list[PendingCall]:
        """Send units in one request and settle them; returns those that are to be sent again."""
        ready: list[PendingCall] = []
        unsettled: list[PendingCall] = []
        for unit in units:
            try:
                self._check(unit)
            except TransientError as refusal:
                unit.break_off(refusal)
            else:
                (unsettled if unit.not_before else ready).append(unit)
        if ready:
            plan = self._plan(ready)
            outcomes, whole = await self._outcomes(plan)
            if any(_is(outcome, "QUERY_LIMIT_EXCEEDED") for outcome in outcomes.values()):
                await self._in_thread(self._slots.refused)
            self._jitter = random.uniform(0.5, 1)
            for unit, commands in plan:
                mine = {key: outcomes[key] for key in commands}
                if not self._settle(unit, commands, mine, len(outcomes), whole=whole):
                    unsettled.append(unit)
        return unsettled

    def _plan(self, units: list[PendingCall]) -> Plan:
        """Give each unit its commands; those that can use more share the room that is left."""
        chains = sum(unit.most > 1 for unit in units)
        share = max(self.size() - sum(unit.least for unit in units), 0) // max(chains, 1)
        plan: Plan = []
        at = 0
        for unit in units:
            count = min(unit.most, unit.least + share, self.size())
            plan.append((unit, unit.commands([f"c{at + number}" for number in range(count)])))
            at += count
        return plan

    async def _outcomes(self, plan: Plan) -> tuple[dict[str, Any], bool]:
        """Return what became of each command by its key, and whether the request failed whole."""
        commands = {key: command for _, its in plan for key, command in its.items()}
        methods = {key: command.method for key, command in commands.items()}
        first = plan[0][0]
        operating = self._known.operating
        try:
            if len(commands) == 1 and not isinstance(first, ExplicitBatch):
                ((key, command),) = commands.items()
                answer = await self._exchange(command.method, to_json(command.params), 1)
                operating.note(command.method, answer.time)
                return {key: answer.result}, False
            queries = {key: query for unit, its in plan for key, query in unit.queries(its)}
            body = body_of(queries, halt=first.halt)
            answer = await self._exchange("batch", body, len(queries))
            operating.note_batch(answer.time, times_of(methods, answer), methods)
            outcomes = outcomes_of(methods, answer, halt=first.halt)
        except CallError as error:
            if _is(error, "OPERATION_TIME_LIMIT"):
                operating.exhausted(error.method)
            return {key: of_call(error, method) for key, method in methods.items()}, True
        for method, outcome in zip(methods.values(), outcomes, strict=True):
            if _is(outcome, "OPERATION_TIME_LIMIT"):
                operating.exhausted(method)
            if _is(outcome, "ERROR_BATCH_METHOD_NOT_ALLOWED"):
                self._known.not_for_batch.add(method.lower())
        return dict(zip(methods, outcomes, strict=True)), False

    async def _exchange(self, method: str, body: bytes, commands: int) -> Answer:
        seconds = min(self._time_left(method), READ_SECONDS)
        began = time.monotonic()
        self.requests += 1
        try:
            answer = await self._in_thread(exchange, self._known, method, body, seconds)
        except CallError as error:
            if error.code in {TIMEOUT, ANSWER_TOO_LARGE, TOO_LARGE}:
                self._known.too_much(commands)
            raise
        self._known.took(time.monotonic() - began, commands)
        return answer

    def _settle(
        self,
        unit: PendingCall,
        commands: dict[str, Command],
        outcomes: dict[str, Any],
        together: int,
        *,
        whole: bool,
    ) -> bool:
        """Tell a unit its outcomes, or say that it is to be sent again."""
        unit.tries += 1
        error = next(iter(outcomes.values()))
        # What somebody has put together is sent again only if nothing of it was answered.
        if isinstance(error, CallError) and (whole or not isinstance(unit, ExplicitBatch)):
            failure = Failure(
                error,
                unit.tries,
                1 if isinstance(unit, ExplicitBatch) else together,
                harmless=all(command.harmless for command in commands.values()),
                blocked_for=self._known.wait_for(unit.method),
                jitter=self._jitter,
            )
            pause = failure.pause()
            if pause is not None and pause < self._remaining() - LEAST_SECONDS:
                unit.not_before = time.time() + pause
                return False
            final = failure.final()
            failed = outcomes if isinstance(unit, ExplicitBatch) else list(outcomes)[:1]
            outcomes |= {key: of_call(final, commands[key].method) for key in failed}
        unit.finish([self._masked(outcome) for outcome in outcomes.values()])
        return True

    async def _in_thread[T](self, function: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._known.threads, function, *arguments)

    def _time_left(self, method: str) -> float:
        seconds = self._remaining()
        if seconds < LEAST_SECONDS:
            raise _no_time(method)
        return seconds

    def _masked(self, outcome: Any) -> Any:
        """Hide the secret where a portal repeats it in what it says of an error."""
        if isinstance(outcome, CallError):
            return of_call(outcome, outcome.method, hide=self._known.webhook.mask)
        return outcome


def _no_time(method: str) -> TransientError:
    return TransientError(method, "NO_TIME", "the function's time is over", retry_after=0)


def _is(outcome: Any, code: str) -> bool:
    return isinstance(outcome, CallError) and outcome.code.upper() == code
