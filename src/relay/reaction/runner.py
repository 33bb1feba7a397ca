"""Runs a reaction: the records of an SQS batch -> one coroutine each -> those that come back.

A reaction needs no code for this: it is a coroutine that takes an event or a change and, if it
wants one, a portal. All records of a batch run at once, so that calls which wait at the same time
share requests; changes of one item run in their order. A repeated record does no write twice
(relay.reaction.once). relay.retry_policy says when a record comes back whose reaction raised.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import update_wrapper
from typing import Any, Protocol, TypedDict

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from relay import settings
from relay.change import Change
from relay.errors import NotOursError, RelayError, StoppedError
from relay.portal_clients import PortalClients
from relay.queue import Outcome, Unhandled, hand_back
from relay.reaction import deadline
from relay.reaction.batch_store import BatchStore, StoredRecord
from relay.reaction.checkpoint import CUT_OFF_SECONDS
from relay.reaction.record import Record, chains, parse
from relay.reaction.resolver import PortalResolver
from relay.reaction.running import RunningRecord
from relay.reaction.signature import read_signature
from relay.retry_policy import Delivery, Policy, policy_of
from relay.state_requests import StateRequests


class Batch(TypedDict):
    """The records of an SQS batch, as Lambda hands them over."""

    Records: list[dict[str, Any]]


class Context(Protocol):
    """Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that the function has left."""


class Reaction:
    """A user's coroutine, callable as it was written; `handler` is what Lambda calls."""

    def __init__(self, react: Callable[..., Awaitable[None]]) -> None:
        """Take a coroutine function whose first argument's type says what it subscribes to.

        Raises TypeError for a function that could not be run.
        """
        update_wrapper(self, react)
        self._react = react
        self._record_type, self._wants_portal = read_signature(react)
        self.name = react.__name__
        self._logger = Logger(service=self.name)
        self._metrics = Metrics()  # its dimension is POWERTOOLS_SERVICE_NAME, the reaction's
        self._deadline = deadline.Deadline(self.name)
        self._portals = PortalResolver(PortalClients("write", self.remaining_seconds))

    async def __call__(self, *arguments: object) -> None:
        """React, as a test does: with an event or a change, and a fake portal."""
        await self._react(*arguments)

    def remaining_seconds(self) -> float:
        """Return how many seconds a reaction may still take in this invocation."""
        return self._deadline.remaining_seconds()

    def handler(self, batch: Batch, context: Context) -> dict[str, list[dict[str, str]]]:
        """Run every record of an SQS batch; return those that come back."""
        seconds = context.get_remaining_time_in_millis() / 1000
        self._deadline.begin(seconds)
        records: list[Record] = []
        unhandled: list[Unhandled] = []
        for message in map(SQSRecord, batch["Records"]):
            try:
                records.append(parse(message, self._record_type))
            except NotOursError as error:
                unhandled.append(Unhandled(message, error))
        # A loop of its own, closed with all that an uncancellable reaction has left in it.
        loop = asyncio.new_event_loop()
        try:
            outcomes = loop.run_until_complete(self._handle(records, unhandled, seconds))
        finally:
            loop.close()
        self._metrics.flush_metrics()
        back = {out.unhandled.record.message_id for out in outcomes if out.comes_back}
        ids = [message["messageId"] for message in batch["Records"]]
        return {"batchItemFailures": [{"itemIdentifier": name} for name in ids if name in back]}

    async def _handle(
        self, records: list[Record], unhandled: list[Unhandled], seconds: float
    ) -> list[Outcome]:
        """Run the records; return what became of the unhandled ones, `unhandled` included."""
        keeps = self._wants_portal or self._record_type is Change
        store: BatchStore | None = None
        loaded: Mapping[Record, StoredRecord] = {}
        if records and keeps:
            self._portals.start(record.payload.portal for record in records)
            try:
                store = self._store(seconds)
                loaded = await asyncio.to_thread(store.load, records)
            except RelayError as error:
                unhandled += [Unhandled(record.message, error) for record in records]
                records = []
        running = [
            [RunningRecord(record, loaded.get(record)) for record in chain]
            for chain in chains(records)
        ]
        await self._run(running, store)
        ended = [one for chain in running for one in chain]
        counts = store.counts if store else Counter[str]()
        return await asyncio.to_thread(self._conclude, ended, unhandled, counts)

    def _store(self, seconds: float) -> BatchStore:
        (table,) = settings.read("STATE_TABLE")
        requests = StateRequests(settings.client("dynamodb"), table)
        return BatchStore(
            self.name, time.time() + seconds + CUT_OFF_SECONDS, requests, self._logger
        )

    async def _run(self, running: list[list[RunningRecord]], store: BatchStore | None) -> None:
        """Run all chains at once until the deadline, then end what has not ended."""
        tasks = [asyncio.create_task(self._run_chain(chain, store)) for chain in running]
        late = await self._deadline.wait(tasks)
        if not late:
            return
        records = [one for chain in running for one in chain]
        unfinished = [one for one in records if not one.has_ended]
        for one in unfinished:
            one.end(one.late_error(self.name))
        await deadline.cancel(late)
        # A write that is under way is finished first; one that does not end keeps its lease.
        stores = [asyncio.create_task(one.store(store)) for one in unfinished]
        stores += [asyncio.create_task(one.stored_fully()) for one in records if one.is_storing]
        if stores:
            await asyncio.wait(stores, timeout=deadline.RESERVE_SECONDS / 2)
        for one in records:
            if one.is_handled and one.is_storing:
                # Acknowledged, its writes would be stored nowhere, and a repeat would do them anew.
                one.end(one.late_error(self.name))

    async def _run_chain(self, chain: list[RunningRecord], store: BatchStore | None) -> None:
        for one in chain:
            error: Exception | None = None
            try:
                arguments = await self._arguments(one, store)
                one.start()
                await self._react(*arguments)
            except Exception as raised:  # noqa: BLE001  the policy judges all that a reaction raises
                error = raised
            except (asyncio.CancelledError, SystemExit) as raised:
                error = StoppedError(f"{self.name} raised {type(raised).__name__}")
            if one.has_ended:
                return  # it was ended at the deadline and has ignored its cancellation
            one.end(error)
            await one.store(store)

    async def _arguments(self, one: RunningRecord, store: BatchStore | None) -> list[object]:
        """Return what the reaction is called with: an event or a change, and a portal."""
        payload = one.record.payload
        stored = one.stored
        portal = await self._portals.portal(payload.portal) if self._wants_portal else None
        if isinstance(payload, Change):
            host = portal.webhook.host if portal else await self._portals.host(payload.portal)
            is_late = stored is not None and stored.is_superseded
            payload = replace(payload, portal_host=host, superseded=is_late)
        if portal and store and stored:
            return [payload, store.portal_of(stored, portal)]
        return [payload]

    def _conclude(
        self, running: list[RunningRecord], unhandled: list[Unhandled], counts: Counter[str]
    ) -> list[Outcome]:
        """Hand back or dead-letter the records that were not handled; count and log all."""
        fields: dict[str, dict[str, object]] = {}
        for one in running:
            counts["replayed"] += bool(one.stored and one.stored.run.replayed)
            counts["handled"] += one.is_handled
            if one.is_handled:
                self._logger.info("handled", extra=one.record.log_fields())
            else:
                fields[one.record.message.message_id] = one.record.log_fields()
                unhandled.append(self._unhandled(one))
        outcomes = hand_back(unhandled)
        for outcome in outcomes:
            outcome.log(self._logger, fields.get(outcome.unhandled.record.message_id))
            counts["failed"] += policy_of(outcome.unhandled.error) is Policy.RETRY
            counts["waiting" if outcome.comes_back else "dead_lettered"] += 1
        for metric, number in counts.items():
            if number:
                self._metrics.add_metric(metric, MetricUnit.Count, number)
        lags = [_seconds_since(one.record.payload.time) for one in running if one.is_handled]
        if lags:
            self._metrics.add_metric("lag", MetricUnit.Seconds, max(lags))
        return outcomes

    def _unhandled(self, one: RunningRecord) -> Unhandled:
        message = one.record.message
        error = one.error or StoppedError(f"{self.name} did not get to it")
        receives = Delivery.of(message, 0).receives
        failures = min(one.stored.run.checkpoint.failures, receives) if one.stored else receives
        return Unhandled(message, error, max(failures, 1))


def _seconds_since(moment: str) -> float:
    """Return the seconds since a time in ISO 8601; 0 for one that is none, or in the future."""
    with suppress(ValueError):
        return max(time.time() - datetime.fromisoformat(moment).timestamp(), 0.0)
    return 0.0


def reaction(react: Callable[..., Awaitable[None]]) -> Reaction:
    """Make a coroutine function a reaction: `handler = <name>.handler` is then a Lambda."""
    return Reaction(react)
