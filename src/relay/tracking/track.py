"""SQS batch of events and hints -> one reading of each item -> the mirror.

A message that kills its function (memory, time) takes its whole batch along, and the process
forgets it. So a message that was received before is hidden for a random time before anything is
read:
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

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.aws_types import BatchResponse, Context, SqsBatch, response
from relay.errors import NextBatchError, NotOursError
from relay.queue import Unhandled, hand_back, retry_later
from relay.retry_policy import Delivery, Policy, policy_of
from relay.tracking import wiring
from relay.tracking.hint import Hint, merge, parse
from relay.tracking.part_read import PartRules
from relay.tracking.parts import parse as parse_parts
from relay.tracking.refresh import Rules, refresh_items
from relay.tracking.row import Key
from relay.tracking.sweep_state import SweepDocument

MOST_ITEMS = 2500  # one request can read so many; more would not be put in the function's time
# Of the function's time: to put what was read, and to hand 1,000 messages back even where SQS hangs
# (two attempts of 3 s).
RESERVE_SECONDS = 45.0
MOST_REMEMBERED = 10_000
DOCUMENT_SECONDS = 60
NOTE_SECONDS = 60  # between two notes of a kind's events; what is made of them counts in hours

type Hints = Mapping[Key, Hint]

logger = Logger(service="track", location=None)
metrics = Metrics(service="track")
_counts: Counter[str] = Counter()  # one number each: Metrics flushes early beyond a hundred
_documents: dict[str, tuple[float, SweepDocument]] = {}
_noted: dict[tuple[str, str], float] = {}  # when a kind's events were noted last (epoch s)
# By portal and kind: until when product rows are asked for by one owner, as arrays are refused.
_single_owners: defaultdict[str, dict[str, float]] = defaultdict(dict)
# Failures of this process by message id. SQS counts receives only, waiting included. Two copies at
# most run at a time: a bug is dead-lettered after 5 to 9 failures, later where Lambda replaces a
# copy.
_failures: Counter[str] = Counter()


def handler(batch: SqsBatch, context: Context) -> BatchResponse:
    """Read the items that a batch hints at; returns the messages that must come back."""
    records = {record.message_id: record for record in map(SQSRecord, batch["Records"])}
    remaining = wiring.deadline(context, RESERVE_SECONDS)
    _spread(records.values())
    hints, failed = _parse(records)
    failed |= asyncio.run(_refresh(hints, remaining))
    unhandled = [(records[message_id], error) for message_id, error in failed.items()]
    back = _hand_back(unhandled, remaining())
    _report()
    return response(back)


def _spread(records: Iterable[SQSRecord]) -> None:
    """Hide messages that were received before for random times, in case this function is killed."""
    now = time.time()
    old = [record for record in records if Delivery.of(record, now).receives > 1]
    if not old:
        return
    (queue_url,) = settings.read("QUEUE_URL")
    name = "VisibilityTimeout"
    try:
        queue = settings.client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=[name]
        )
    except (BotoCoreError, ClientError) as error:
        logger.warning("not spread", messages=len(old), trouble=str(error))
        return
    # The queue's own timeout on average; the shortest time is longer than the rest of this run.
    seconds = int(queue["Attributes"][name])
    wrong = retry_later(
        [(record, random.randint(seconds // 2, seconds * 3 // 2)) for record in old]
    )
    if wrong:
        logger.warning("not spread", messages=len(wrong), trouble=next(iter(wrong.values())))


def _parse(records: Mapping[str, SQSRecord]) -> tuple[Hints, dict[str, Exception]]:
    """Return one hint an item, and by message id the errors of messages that give none."""
    failed: dict[str, Exception] = {}
    hints: list[Hint] = []
    for message_id, record in records.items():
        try:
            parsed = parse(message_id, record.body)
        except NotOursError as error:
            failed[message_id] = error
            continue
        if hints and len(hints) + len(parsed) > MOST_ITEMS:
            failed[message_id] = NextBatchError(f"more than {MOST_ITEMS} items")
            continue
        for hint in parsed:
            hint.received_before = Delivery.of(record, time.time()).receives > 1
        hints += parsed
    return merge(hints), failed


async def _refresh(hints: Hints, remaining: Callable[[], float]) -> dict[str, Exception]:
    """Bring the mirror up to date; returns by message id the errors of messages not done."""
    by_portal: dict[str, dict[Key, Hint]] = defaultdict(dict)
    for key, hint in hints.items():
        by_portal[key.portal][key] = hint
    errors = await asyncio.gather(
        *(_guard(portal, of_portal, remaining) for portal, of_portal in by_portal.items())
    )
    failed: dict[str, Exception] = {}
    for key, error in (one for of_portal in errors for one in of_portal.items()):
        logger.warning("not read", item=f"{key.portal}/{key.entity}/{key.id}", reason=str(error))
        for message_id in hints[key].messages:
            # An error that waits outweighs one that is final.
            first = failed.get(message_id)
            if first is None or policy_of(first, repeatable=True) is Policy.DEAD_LETTER:
                failed[message_id] = error
    return failed


async def _guard(portal: str, hints: Hints, remaining: Callable[[], float]) -> dict[Key, Exception]:
    """Return the items of one portal that were not done; its errors do not affect the others."""
    try:
        return await _refresh_portal(portal, hints, remaining)
    except Exception as error:  # noqa: BLE001  a secret that is missing, AWS away, or a bug
        return dict.fromkeys(hints, error)


async def _refresh_portal(
    name: str, hints: Hints, remaining: Callable[[], float]
) -> dict[Key, Exception]:
    now = time.time()
    setting = parse_parts(settings.read("PARTS")[0])
    hints = {key: hint for key, hint in hints.items() if setting.mirrors(key.entity)}
    if not hints:
        return {}
    # SSM may hang, and the portals of a batch share this loop.
    portal = await asyncio.to_thread(wiring.portal, name, remaining)
    await asyncio.to_thread(_note_events, name, hints, now)
    document = await asyncio.to_thread(_document, name, {key.entity for key in hints})
    rows = sum(kind.item_count for kind in document.kinds.values())
    parts = PartRules(
        setting=setting,
        settled=document.settled_step,
        single_owners=_single_owners[name],
    )
    rules = Rules(
        is_baselined=document.is_baselined,
        allow=lambda wanted: wiring.brake().take(name, wanted, rows, now),
        grace_seconds=float(settings.read("GRACE_SECONDS")[0]),
        parts=parts,
        count=_count,
    )
    sent_before = portal.requests
    failed = await refresh_items(hints, portal, wiring.mirror(), rules)
    done, sent = len(hints) - len(failed), portal.requests - sent_before
    seconds = round(time.time() - now, 3)
    # Which events each item was read for, by which `make trace` joins them to its change.
    read = {
        f"{key.entity}/{key.id}": sorted(hint.events)
        for key, hint in hints.items()
        if key not in failed
    }
    logger.info(
        "read", portal=name, items=done, requests=sent, began=now, seconds=seconds, hinted=read
    )
    _count("tracked", done)
    _count("requests", sent)
    return failed


def _note_events(portal: str, hints: Hints, now: float) -> None:
    """Note which events came, for an alarm: tracking goes on where they can't be noted."""
    entities = {
        key.entity
        for key, hint in hints.items()
        if hint.by_webhook and now - _noted.get((portal, key.entity), 0) >= NOTE_SECONDS
    }
    if not entities:
        return
    try:
        wiring.last_events().note(portal, entities, now)
    except (BotoCoreError, ClientError) as error:
        logger.warning("events not noted", portal=portal, reason=str(error))
    else:
        _noted.update(((portal, entity), now) for entity in entities)


def _document(portal: str, entities: set[str]) -> SweepDocument:
    """Return the sweep's document, cached for a minute; read while a kind is not baselined."""
    read_at, document = _documents.get(portal, (float("-inf"), SweepDocument()))
    complete = all(map(document.is_baselined, entities))
    if not complete or time.monotonic() - read_at >= DOCUMENT_SECONDS:
        document = wiring.sweep_state().read(portal)
        _documents[portal] = time.monotonic(), document
    return document


def _hand_back(failed: list[tuple[SQSRecord, Exception]], remaining_seconds: float) -> list[str]:
    """Hide messages or dead-letter them; returns the ids of those that stay in the queue."""
    unhandled = [
        Unhandled(record, error, _failures_of(record.message_id, error)) for record, error in failed
    ]
    back = hand_back(unhandled, logger, repeatable=True, remaining_seconds=remaining_seconds)
    kept = set(back)
    for record, *_ in unhandled:
        if record.message_id not in kept:
            _failures.pop(record.message_id, None)
            _count("dead_lettered", 1)
            continue
        _count("waiting", 1)
    return back


def _failures_of(message_id: str, error: Exception) -> int:
    """Return how often a message has failed in this process; waiting is no failure."""
    if policy_of(error, repeatable=True) is Policy.RETRY:
        if len(_failures) >= MOST_REMEMBERED:
            _failures.clear()
        _failures[message_id] += 1
    return max(_failures.get(message_id, 0), 1)


def _count(metric: str, number: int) -> None:
    _counts[metric] += number


def _report() -> None:
    counted = {name: number for name, number in _counts.items() if number}
    _counts.clear()
    for name, number in counted.items():  # a metric costs by the hour in which it is reported
        metrics.add_metric(name, MetricUnit.Count, number)
    if counted:
        metrics.flush_metrics()
