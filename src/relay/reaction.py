"""Runs a reaction: the records of an SQS batch -> one coroutine each -> what must come back.

A reaction knows nothing of this: it is a coroutine that takes an event and, if it wants one, a
portal. All records of a batch run at once, so that calls which wait at the same time can share
requests. What becomes of a record whose reaction raised stands in relay.redelivery.
"""

import asyncio
import inspect
import json
import time
from collections.abc import Awaitable, Callable
from functools import update_wrapper
from typing import Any, get_type_hints

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from relay.portals import Portals
from relay.redelivery import NotOursError, come_back, dead_letter, seconds_until_retry

RESERVE_SECONDS = 2.0  # of the function's time, kept to hand back what is unfinished


class Reaction:
    """A user's coroutine, callable as it was written; `handler` is what Lambda calls."""

    def __init__(self, react: Callable[..., Awaitable[None]]) -> None:
        """Take a coroutine function whose first argument says by its type what it subscribes to."""
        update_wrapper(self, react)
        first, *others = inspect.signature(react).parameters
        self._react = react
        self._record_type = get_type_hints(react)[first]
        self._wants_portal = bool(others)
        self.name = react.__name__
        self._logger = Logger(service=self.name)
        self._metrics = Metrics(service=self.name)
        self._portals = Portals("write", self.remaining_seconds)
        self._deadline = float("inf")

    async def __call__(self, *arguments: Any) -> None:
        """React, as a test does: with an event and a fake portal."""
        await self._react(*arguments)

    def handler(self, batch: dict[str, Any], context: Any) -> Any:
        """Run every record of an SQS batch; returns those that must come back."""
        seconds = context.get_remaining_time_in_millis() / 1000
        self._deadline = time.monotonic() + seconds - RESERVE_SECONDS
        processor = AsyncBatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        with processor(batch["Records"], self._run):
            processor.async_process()
        self._metrics.flush_metrics()
        return processor.response()

    def remaining_seconds(self) -> float:
        """Return how long a reaction may still take in this invocation."""
        return max(self._deadline - time.monotonic(), 0)

    async def _run(self, record: SQSRecord) -> None:
        about: dict[str, Any] = {"message_id": record.message_id}
        try:
            item = self._parse(record)
            about |= {"event_id": item.event_id, "portal": item.portal, "subject": item.subject}
            async with asyncio.timeout(self.remaining_seconds()):
                portal = [self._portals.get(item.portal)] if self._wants_portal else []
                await self._react(item, *portal)
        except Exception as error:
            if await asyncio.to_thread(self._hand_back, record, error, about):
                raise
        else:
            self._count("handled")
            self._logger.info("handled", **about)

    def _parse(self, record: SQSRecord) -> Any:
        try:
            return self._record_type.from_cloudevent(json.loads(record.body))
        except ValueError as error:
            raise NotOursError(str(error)) from error

    def _hand_back(self, record: SQSRecord, error: Exception, about: dict[str, Any]) -> bool:
        """Send a record back or dead-letter it; says whether it still is the queue's."""
        receives = int(record.attributes.approximate_receive_count or 1)
        seconds = seconds_until_retry(error, receives)
        about |= {"error": type(error).__name__, "reason": str(error), "receives": receives}
        try:
            if seconds is None:
                dead_letter(record, error)
                self._count("dead_lettered")
                self._logger.error("dead-lettered", **about)
                return False
            come_back(record, seconds)
        except (BotoCoreError, ClientError) as trouble:
            about["trouble"] = str(trouble)  # it comes back after the queue's visibility timeout
        self._count("waiting")
        self._logger.warning("comes back", seconds=seconds, **about)
        return True

    def _count(self, metric: str) -> None:
        self._metrics.add_metric(metric, MetricUnit.Count, 1)


def reaction(react: Callable[..., Awaitable[None]]) -> Reaction:
    """Make a coroutine function a reaction: `handler = its_name.handler` is then a Lambda."""
    return Reaction(react)
