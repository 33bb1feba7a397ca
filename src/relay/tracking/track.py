"""SQS batch of events and hints -> one reading of each item -> the mirror; what must wait waits.

A message that kills its function (memory, time) takes its whole batch along, and the process
forgets it. So what was there before is hidden for a random time before anything is read:
  killed at the first receive  all sleep for the queue's visibility timeout and come back together
  killed later                 each comes back at another time: a window of 1 s holds the killer and
                               one in a thousand of the others, which are done without it
  fresh messages beside it     sleep once, and come back while the killer sleeps
  done, or waits               deleted, or hidden anew: the random time is never over. No receive is
                               used up, and nothing comes back later than without it
  SQS does not answer          all sleep together once more; the next receive spreads them
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.errors import NextBatchError, NotOursError, OperatorError
from relay.queue import Unhandled, hand_back, retry_later
from relay.retry_policy import Delivery, Policy, policy_of
from relay.tracking import wiring
from relay.tracking.hint import EVENT, Hint, merge, parse
from relay.tracking.refresh import Rules, look
from relay.tracking.row import Key
from relay.tracking.sweep_plan import Document, is_baselined

MOST_ITEMS = 2500  # what one request can read; more would not be put in the function's time
# Of the function's time: to put what was read, and to hand 1,000 messages back even where SQS hangs
# (two attempts of 3 s).
RESERVE_SECONDS = 15.0
MOST_REMEMBERED = 10_000
DOCUMENT_SECONDS = 60

logger = Logger(service="track")
metrics = Metrics(service="track")
_counts: Counter[str] = Counter()  # one number each: Metrics flushes early beyond a hundred
_documents: dict[str, tuple[float, Document]] = {}
# What this process has failed at, by message id. SQS counts receives only, waiting included. Two
# copies at most run at a time: a bug is dead-lettered after 5 to 9 failures, later where Lambda
# replaces a copy.
_failures: Counter[str] = Counter()


def handler(batch: dict[str, Any], context: Any) -> dict[str, Any]:
    """Look at what the records of a batch hint at; returns those that must come back."""
    records = {record["messageId"]: SQSRecord(record) for record in batch["Records"]}
    remaining = wiring.deadline(context, RESERVE_SECONDS)
    _spread(records.values())
    failures = asyncio.run(_track(records, remaining))
    back = _hand_back([(records[mid], error) for mid, error in failures.items()])
    _counts["messages"] = len(records)
    for name, number in _counts.items():
        metrics.add_metric(name, MetricUnit.Count, number)
    metrics.flush_metrics()
    _counts.clear()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in back]}


def _spread(records: Iterable[SQSRecord]) -> None:
    """Let what was received before come back apart, should this function be killed."""
    now = time.time()
    old = [record for record in records if Delivery.of(record, now).receives > 1]
    if not old:
        return
    (queue_url,) = settings.read("QUEUE_URL")
    name = "VisibilityTimeout"
    try:
        its = settings.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])
    except (BotoCoreError, ClientError) as error:
        logger.warning("not spread", messages=len(old), trouble=str(error))
        return
    # As long as the queue hides it, on average; the shortest is longer than this run still is.
    seconds = int(its["Attributes"][name])
    wrong = retry_later(
        [(record, random.randint(seconds // 2, seconds * 3 // 2)) for record in old]
    )
    if wrong:
        logger.warning("not spread", messages=len(wrong), trouble=next(iter(wrong.values())))


async def _track(
    records: Mapping[str, SQSRecord], remaining: Callable[[], float]
) -> dict[str, Exception]:
    """Return the messages that were not done, each with its reason."""
    failures: dict[str, Exception] = {}
    hints: list[Hint] = []
    for message_id, record in records.items():
        try:
            its = parse(message_id, record.body)
        except NotOursError as error:
            failures[message_id] = error
            continue
        if hints and len(hints) + len(its) > MOST_ITEMS:
            failures[message_id] = NextBatchError(f"more than {MOST_ITEMS} items")
            continue
        for hint in its:
            hint.again = Delivery.of(record, time.time()).receives > 1
        hints += its
    by_portal: dict[str, dict[Key, Hint]] = defaultdict(dict)
    for key, hint in merge(hints).items():
        by_portal[key.portal][key] = hint
    outcomes = await asyncio.gather(
        *(_portal(name, its, remaining) for name, its in by_portal.items())
    )
    for (name, asked), failed in zip(by_portal.items(), outcomes, strict=True):
        for key, reason in failed.items():
            logger.warning("not read", item=f"{name}/{key.entity}/{key.id}", reason=str(reason))
            for message_id in asked[key].messages:
                _keep(failures, message_id, reason)
    return failures


async def _portal(
    name: str, hints: dict[Key, Hint], remaining: Callable[[], float]
) -> dict[Key, Exception]:
    """Return the items of one portal that were not done; another portal's trouble is not its."""
    try:
        return await _look(name, hints, remaining)
    except Exception as error:  # noqa: BLE001  a secret that lacks, a table that does not answer
        return dict.fromkeys(hints, error)


async def _look(
    name: str, hints: dict[Key, Hint], remaining: Callable[[], float]
) -> dict[Key, Exception]:
    now = time.time()
    # SSM may hang, and the portals of a batch share this loop.
    portal = await asyncio.to_thread(wiring.portal, name, remaining)
    mirror = wiring.mirror()
    await asyncio.to_thread(_note_events, name, hints, now)
    document = await asyncio.to_thread(_document, name, {key.entity for key in hints})
    rows = sum(one.get("seen", 0) for one in document.get("entities", {}).values())
    rules = Rules(
        baselined=lambda entity: is_baselined(document, entity),
        allow=lambda wanted: wiring.brake().take(name, wanted, rows, now),
        grace_seconds=float(settings.read("GRACE_SECONDS")[0]),
        count=_count,
    )
    sent_before = portal.requests
    failed = await look(hints, portal, mirror, rules)
    done, sent = len(hints) - len(failed), portal.requests - sent_before
    seconds = round(time.time() - now, 3)
    logger.info("read", portal=name, items=done, requests=sent, began=now, seconds=seconds)
    _count("tracked", done)
    _count("requests", sent)
    return failed


def _note_events(name: str, hints: Mapping[Key, Hint], now: float) -> None:
    """Note which events came, for an alarm: tracking goes on where they can't be noted."""
    events = {key.entity for key, hint in hints.items() if hint.via == EVENT}
    if not events:
        return
    try:
        wiring.seen().note(name, events, now)
    except (BotoCoreError, ClientError) as error:
        logger.warning("events not noted", portal=name, reason=str(error))


def _document(name: str, entities: set[str]) -> Document:
    """Return how far a portal's baseline is; what is complete stays so, the rest is asked for."""
    read_at, document = _documents.get(name, (float("-inf"), {}))
    complete = all(is_baselined(document, entity) for entity in entities)
    if not complete or time.monotonic() - read_at >= DOCUMENT_SECONDS:
        document = wiring.sweep_state().read(name)
        _documents[name] = time.monotonic(), document
    return document


def _keep(failures: dict[str, Exception], message_id: str, reason: Exception) -> None:
    """Note why a message is not done; an error that waits outweighs one that is final."""
    first = failures.get(message_id)
    if first is None or policy_of(first, repeatable=True) is Policy.DEAD_LETTER:
        failures[message_id] = reason


def _failures_of(message_id: str, error: Exception) -> int:
    """Count a bug; returns how often a message has met one in this process."""
    if policy_of(error, repeatable=True) is Policy.RETRY:
        if len(_failures) >= MOST_REMEMBERED:
            _failures.clear()
        _failures[message_id] += 1
    return max(_failures.get(message_id, 0), 1)


def _hand_back(failures: list[tuple[SQSRecord, Exception]]) -> list[str]:
    """Send messages back or dead-letter them; returns the ids of those that are still queued."""
    unhandled = [
        Unhandled(record, error, _failures_of(record.message_id, error))
        for record, error in failures
    ]
    back = []
    for outcome in hand_back(unhandled, repeatable=True):
        outcome.log(logger)
        record, error, _ = outcome.unhandled
        if not outcome.comes_back:
            _failures.pop(record.message_id, None)
            _count("dead_lettered", 1)
            continue
        if isinstance(error, OperatorError):
            _count("blocked", 1)
        _count("waiting", 1)
        back.append(record.message_id)
    return back


def _count(metric: str, number: int) -> None:
    _counts[metric] += number
