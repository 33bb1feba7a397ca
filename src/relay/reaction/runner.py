"""Runs a reaction: the records of an SQS batch -> one coroutine each -> those that come back.

A reaction needs no code for this: it is a coroutine that takes an event or a change and, if it
wants one, a portal. All records of a batch run at once, so that calls which wait at the same time
share requests; changes of one item run in their order. A repeated record does no write twice
(relay.reaction.once). relay.retry_policy says when a record comes back whose reaction raised.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import update_wrapper

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from relay import settings
from relay.aws_types import BatchResponse, Context, SqsBatch, response
from relay.change import Change
from relay.errors import NotOursError, RelayError, StoppedError
from relay.queue import Unhandled, hand_back
from relay.reaction import deadline
from relay.reaction.batch_store import BatchStore
from relay.reaction.checkpoint import CUT_OFF_SECONDS
from relay.reaction.past import reader_of
from relay.reaction.record import Record, chains, parse
from relay.reaction.resolver import PortalResolver
from relay.reaction.running import RunningRecord
from relay.reaction.signature import read_signature
from relay.retry_policy import Delivery, Policy, policy_of
from relay.state_requests import StateRequests


class Reaction:
    """A user's coroutine, callable as it was written; `handler` is what Lambda calls."""

    def __init__(self, react: Callable[..., Awaitable[None]]) -> None:
        """Take a coroutine function whose first argument has a type; raises TypeError otherwise."""
        update_wrapper(self, react)
        self._react = react
        self._record_type, self._wants_portal = read_signature(react)
        self.name = react.__name__
        self._logger = Logger(service=self.name, location=None)
        self._metrics = Metrics()  # its dimension is POWERTOOLS_SERVICE_NAME, the reaction's
        self._deadline = deadline.Deadline(self.name)
        self._portals = PortalResolver(self._deadline.remaining_seconds)

    async def __call__(self, *arguments: object) -> None:
        """React, as a test does: with an event or a change, and a fake portal."""
        await self._react(*arguments)

    def handler(self, batch: SqsBatch, context: Context) -> BatchResponse:
        """Run every record of an SQS batch; return those that come back."""
        seconds = context.get_remaining_time_in_millis() / 1000
        self._deadline.begin(seconds)
        messages = [SQSRecord(record) for record in batch["Records"]]
        records: list[Record] = []
        unhandled: list[Unhandled] = []
        for message in messages:
            try:
                records.append(parse(message, self._record_type))
            except NotOursError as error:
                unhandled.append(Unhandled(message, error))
        # A loop of its own, closed with all that an uncancellable reaction has left in it.
        loop = asyncio.new_event_loop()
        try:
            back = loop.run_until_complete(self._handle(records, unhandled, seconds))
        finally:
            loop.close()
        self._metrics.flush_metrics()
        return response(one.message_id for one in messages if one.message_id in back)

    async def _handle(
        self, records: list[Record], unhandled: list[Unhandled], seconds: float
    ) -> list[str]:
        """Run the records; return the message ids of those that come back, of `unhandled` too."""
        chained = [[RunningRecord(record) for record in chain] for chain in chains(records)]
        running = [one for chain in chained for one in chain]
        store: BatchStore | None = None
        if records and (self._wants_portal or self._record_type is Change):
            self._portals.start(record.payload.portal for record in records)
            try:
                (table,) = settings.read("STATE_TABLE")
                requests = StateRequests(settings.client("dynamodb"), table)
                until = time.time() + seconds + CUT_OFF_SECONDS
                store = BatchStore(self.name, until, requests, self._logger)
                await asyncio.to_thread(store.load, running)
            except RelayError as error:
                unhandled += [Unhandled(record.message, error) for record in records]
                chained, running = [], []
        await self._run(chained, running, store)
        counts = store.counts if store else Counter[str]()
        return await asyncio.to_thread(self._conclude, running, unhandled, counts)

    async def _run(
        self,
        chained: Sequence[Sequence[RunningRecord]],
        running: Sequence[RunningRecord],
        store: BatchStore | None,
    ) -> None:
        """Run all chains at once until the deadline, then end what has not ended."""
        tasks = [asyncio.create_task(self._run_chain(chain, store)) for chain in chained]
        late = await self._deadline.wait(tasks)
        if not late:
            return
        unfinished = [one for one in running if not one.has_ended]
        for one in unfinished:
            one.end(one.late_error(self.name))
        await deadline.cancel(late)
        if not store:
            return
        for one in unfinished:
            one.storing = asyncio.create_task(store.store(one))
        # A write that is under way is finished first; one that does not end keeps its lease.
        storing = [one.storing for one in running if one.storing]
        if storing:
            await asyncio.wait(storing, timeout=deadline.RESERVE_SECONDS / 2)
        for one in running:
            if one.is_handled and one.storing and not one.storing.done():
                # Acknowledged, its writes would be stored nowhere, and a repeat would do them anew.
                one.end(one.late_error(self.name))

    async def _run_chain(self, chain: Sequence[RunningRecord], store: BatchStore | None) -> None:
        for one in chain:
            error: Exception | None = None
            try:
                arguments = await self._arguments(one, store)
                one.started_at = time.monotonic()
                await self._react(*arguments)
                if one.run:
                    one.run.check_awaited()
            except Exception as raised:  # noqa: BLE001  the policy judges all that a reaction raises
                error = raised
            except (asyncio.CancelledError, SystemExit) as raised:
                error = StoppedError(f"{self.name} raised {type(raised).__name__}")
            if one.has_ended:
                return  # it was ended at the deadline and has ignored its cancellation
            one.end(error)
            if store:
                one.storing = asyncio.create_task(store.store(one))
                await asyncio.shield(one.storing)

    async def _arguments(self, one: RunningRecord, store: BatchStore | None) -> list[object]:
        """Return what the reaction is called with: an event or a change, and a portal."""
        payload = one.record.payload
        portal = await self._portals.portal(payload.portal) if self._wants_portal else None
        if isinstance(payload, Change):
            host = portal.webhook.host if portal else await self._portals.host(payload.portal)
            past = reader_of(payload, self.name, portal, one.run)
            late = bool(one.newest and one.newest.is_after(payload))
            payload = replace(payload, portal_host=host, superseded=late, past=past)
        if portal and store and one.run:
            return [payload, store.portal_of(one, one.run, portal)]
        return [payload]

    def _conclude(
        self, running: list[RunningRecord], unhandled: list[Unhandled], counts: Counter[str]
    ) -> list[str]:
        """Hand back or dead-letter the records that were not handled; count and log all."""
        for one in running:
            counts["replayed"] += bool(one.run and one.run.replayed)
            counts["handled"] += one.is_handled
            if one.is_handled:
                lag = _seconds_since(one.record.payload.time)
                self._logger.info("handled", extra={**one.record.log_fields(), "lag": lag})
            else:
                unhandled.append(self._unhandled(one))
        remaining = self._deadline.remaining_seconds()
        back = hand_back(unhandled, self._logger, remaining_seconds=remaining)
        counts["failed"] += sum(policy_of(one.error) is Policy.RETRY for one in unhandled)
        counts["waiting"] += len(back)
        counts["dead_lettered"] += len(unhandled) - len(back)
        for metric, number in counts.items():
            if number:
                self._metrics.add_metric(metric, MetricUnit.Count, number)
        return back

    def _unhandled(self, one: RunningRecord) -> Unhandled:
        message = one.record.message
        error = one.error or StoppedError(f"{self.name} did not get to it")
        receives = Delivery.of(message, 0).receives
        failures = min(one.run.checkpoint.failures, receives) if one.run else receives
        return Unhandled(message, error, max(failures, 1), one.record.log_fields())


def _seconds_since(moment: str) -> float:
    """Return the seconds since a time in ISO 8601; 0 for one that is none, or in the future."""
    with suppress(ValueError):
        return round(max(time.time() - datetime.fromisoformat(moment).timestamp(), 0.0), 1)
    return 0.0


reaction = Reaction  # as a decorator
