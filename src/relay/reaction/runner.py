"""Runs a reaction: the records of an SQS batch -> one coroutine each -> what must come back.

A reaction knows nothing of this: it is a coroutine that takes an event or a change and, if it
wants one, a portal. All records of a batch run at once, so that calls which wait at the same time
can share requests; changes of one item run in their order. What was done for a record is not done
again (relay.once); what becomes of one whose reaction raised stands in relay.retry_policy.
"""

import asyncio
import signal
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import update_wrapper
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from relay.change import Change
from relay.errors import (
    ConfigurationError,
    HungError,
    RelayError,
    StateError,
    StoppedError,
    TransientError,
)
from relay.portal import Portal
from relay.portal_clients import PortalClients
from relay.queue import Unhandled, hand_back
from relay.reaction.batch_store import BatchStore
from relay.reaction.checkpoint import CUT_OFF_SECONDS
from relay.reaction.portal import OncePortal
from relay.reaction.record import Record, chains, parse
from relay.reaction.signature import read_signature
from relay.retry_policy import Delivery, Policy, policy_of

RESERVE_SECONDS = (
    2.0  # of the function's time, kept to note results and hand back what is unfinished
)
PATIENCE_SECONDS = 1.0  # for SSM, before a webhook that was read earlier is used
GRACE_SECONDS = 0.2  # for a reaction that was cancelled


class Reaction:
    """A user's coroutine, callable as it was written; `handler` is what Lambda calls."""

    def __init__(self, react: Callable[..., Awaitable[None]]) -> None:
        """Take a coroutine function whose first argument says by its type what it subscribes to.

        Raises TypeError for one that could not be run.
        """
        update_wrapper(self, react)
        self._react = react
        self._record_type, self._wants_portal = read_signature(react)
        self.name = react.__name__
        self._logger = Logger(service=self.name)
        self._metrics = Metrics()  # its dimension is POWERTOOLS_SERVICE_NAME, the reaction's
        self._portals = PortalClients("write", self.remaining_seconds)
        # Of the batch's portals: the client before, and the one that is being made.
        self._resolving: dict[str, tuple[Portal | None, asyncio.Future[Portal]]] = {}
        self._deadline = float("inf")
        self._counts: Counter[str] = Counter()

    async def __call__(self, *arguments: Any) -> None:
        """React, as a test does: with an event or a change, and a fake portal."""
        await self._react(*arguments)

    def handler(self, batch: dict[str, Any], context: Any) -> dict[str, Any]:
        """Run every record of an SQS batch; returns those that must come back."""
        seconds = context.get_remaining_time_in_millis() / 1000
        self._deadline = time.monotonic() + seconds - RESERVE_SECONDS
        records = [parse(message, self._record_type) for message in batch["Records"]]
        # A loop of its own, closed with whatever a reaction that can't be cancelled left in it.
        loop = asyncio.new_event_loop()
        try:
            back = loop.run_until_complete(self._handle(records, seconds))
        finally:
            loop.close()
        for metric, number in self._counts.items():
            self._metrics.add_metric(metric, MetricUnit.Count, number)
        self._counts.clear()
        self._metrics.flush_metrics()
        return {"batchItemFailures": [{"itemIdentifier": its.message.message_id} for its in back]}

    def remaining_seconds(self) -> float:
        """Return how long a reaction may still take in this invocation."""
        return max(self._deadline - time.monotonic(), 0)

    async def _handle(self, records: list[Record], seconds: float) -> list[Record]:
        readable = [record for record in records if not record.error]
        memory = self._memory(readable, seconds)
        ready = (record for record in readable if not record.error)
        waiting = list(chains(ready))
        self._resolve(record.subject.portal for chain in waiting for record in chain)
        tasks = [asyncio.create_task(self._run_chain(chain, memory)) for chain in waiting]
        if tasks:
            await self._end(tasks, records, memory)
        return await asyncio.to_thread(self._conclude, records)

    def _memory(self, records: list[Record], seconds: float) -> BatchStore | None:
        """Return what is known of the records, where anything is kept of them."""
        if not (self._wants_portal or self._record_type is Change):
            return None
        until = time.time() + seconds + CUT_OFF_SECONDS
        memory = BatchStore(self.name, until, self._logger, self._counts)
        try:
            memory.load(records)
        except RelayError as error:
            for record in records:
                record.error = error
        return memory

    async def _run_chain(self, chain: list[Record], memory: BatchStore | None) -> None:
        for record in chain:
            if memory:
                record.run = memory.run_of(record)
            failed: Exception | None = None
            try:
                arguments = await self._arguments(record)
                record.begun = time.monotonic()
                await self._react(*arguments)
            except Exception as error:  # noqa: BLE001  whatever a reaction raises is judged
                failed = error
            except (asyncio.CancelledError, SystemExit) as error:
                failed = StoppedError(f"{self.name} raised {type(error).__name__}")
            if record.error:
                return  # given up meanwhile: it did not heed its cancellation
            record.error, record.handled = failed, failed is None
            if memory:
                record.storing = asyncio.create_task(memory.store(record))
                await asyncio.shield(record.storing)

    async def _arguments(self, record: Record) -> list[Any]:
        subject = record.subject
        portal = await self._portal(subject.portal) if self._wants_portal else None
        if isinstance(subject, Change):
            host = portal.webhook.host if portal else await self._host(subject.portal)
            late = record.newest is not None and record.newest.is_after(subject)
            subject = replace(subject, portal_host=host, superseded=late)
        if portal is None:
            return [subject]
        record.user = portal.webhook.user_id
        assert record.run is not None  # noqa: S101  who wants a portal has a run
        return [subject, OncePortal(portal, record.run)]

    def _resolve(self, portals: Iterable[str]) -> None:
        """Get each portal's client in a thread: SSM may hang, and hold up no other's records."""
        self._resolving.clear()
        if self._wants_portal or self._record_type is Change:
            loop = asyncio.get_running_loop()
            for name in set(portals):
                last = self._portals.last(name)
                self._resolving[name] = last, loop.run_in_executor(None, self._client_of, name)

    def _client_of(self, name: str) -> Portal:
        try:
            return self._portals.get(name)
        except (BotoCoreError, ClientError) as trouble:
            raise StateError(f"SSM Parameter Store: {trouble}") from trouble

    async def _portal(self, name: str) -> Portal:
        last, resolving = self._resolving[name]
        await asyncio.wait({resolving}, timeout=PATIENCE_SECONDS if last else None)
        return last if last and not resolving.done() else resolving.result()

    async def _host(self, portal: str) -> str:
        try:
            return (await self._portal(portal)).webhook.host
        except (ConfigurationError, StateError):
            return ""  # it was not asked for a portal: its items have no address then

    async def _end(
        self, tasks: list[asyncio.Task[None]], records: list[Record], memory: BatchStore | None
    ) -> None:
        """Wait for all; what is not done in time is cancelled, what does not heed that is left."""
        seconds = self.remaining_seconds()
        with self._alarm(seconds + GRACE_SECONDS):
            _, late = await asyncio.wait(tasks, timeout=seconds)
        if not late:
            return
        unfinished = [its for its in records if not (its.error or its.handled)]
        for record in unfinished:
            record.error = self._late(record)
        for task in late:
            task.cancel()
        await asyncio.wait(late, timeout=GRACE_SECONDS)
        for record in unfinished:
            if memory:
                record.storing = asyncio.create_task(memory.store(record))
        stores = [its.storing for its in records if its.storing and not its.storing.done()]
        if stores:
            # A write of theirs is finished first; what does not end keeps its lease.
            await asyncio.wait(stores, timeout=RESERVE_SECONDS / 2)
        for record in records:
            if record.handled and record.storing and not record.storing.done():
                # Acknowledged, it would be nobody's to store; delivered twice, it would be done so.
                record.handled, record.error = False, self._late(record)

    @contextmanager
    def _alarm(self, seconds: float) -> Iterator[None]:
        """Stop a reaction that holds the thread: no loop, and no cancellation, would ever."""

        def ring(*_: Any) -> None:
            said = "holds the thread; what waits without `await` belongs into asyncio.to_thread"
            raise HungError(f"{self.name} {said}")

        if threading.current_thread() is not threading.main_thread():
            yield  # signals are the main thread's
            return
        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _late(self, record: Record) -> Exception:
        """Return why a record is not done: it waits for something, or its reaction hangs."""
        ran = time.monotonic() - record.begun if record.begun else 0.0
        waits = record.run is not None and record.run.claims.under_way > 0
        if waits or ran < RESERVE_SECONDS:
            said = "the function's time is over"
            return TransientError(self.name, "NO_TIME", said, retry_after=0)
        return HungError(f"{self.name} did not return within {ran:.0f} s, and waits for no call")

    def _conclude(self, records: list[Record]) -> list[Record]:
        """Hand back or dead-letter what was not handled; returns what still is the queue's."""
        unhandled = []
        waiting = []
        for record in records:
            if record.run and record.run.replayed:
                self._counts["replayed"] += 1
            if record.handled:
                self._counts["handled"] += 1
                self._logger.info("handled", **record.about())
                continue
            error = record.error or StoppedError(f"{self.name} did not get to it")
            receives = Delivery.of(record.message, 0).receives
            failures = min(record.row.failures, receives) if record.row else receives
            unhandled.append(Unhandled(record.message, error, max(failures, 1)))
            waiting.append(record)
            if policy_of(error) is Policy.RETRY:
                self._counts["failed"] += 1
        back = []
        for record, outcome in zip(waiting, hand_back(unhandled), strict=True):
            outcome.log(self._logger, **record.about())
            self._counts["waiting" if outcome.comes_back else "dead_lettered"] += 1
            if outcome.comes_back:
                back.append(record)
        return back


def reaction(react: Callable[..., Awaitable[None]]) -> Reaction:
    """Make a coroutine function a reaction: `handler = its_name.handler` is then a Lambda."""
    return Reaction(react)
