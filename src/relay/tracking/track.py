"""SQS batch of events and hints -> one reading of each item -> the mirror."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.aws_types import BatchResponse, Context, SqsBatch, response
from relay.tracking import wiring
from relay.tracking.hint import Hint
from relay.tracking.part_read import Rules
from relay.tracking.parts import PartsSetting
from relay.tracking.refresh import refresh_items
from relay.tracking.requisite_owners import with_owners
from relay.tracking.row import Key
from relay.tracking.sweep_state import SweepDocument
from relay.tracking.track_messages import (
    Hints,
    by_message,
    return_messages,
    spread,
    to_hints,
)

# Of the function's time: to put what was read, and to hand 1,000 messages back even where SQS hangs
# (two attempts of 3 s).
RESERVE_SECONDS = 45.0
DOCUMENT_SECONDS = 60
NOTE_SECONDS = 60  # between two notes of a kind's events; what is made of them counts in hours

logger = Logger(service="track", location=None)
metrics = Metrics(service="track")
_counts: Counter[str] = Counter()  # one number each: Metrics flushes early beyond a hundred
_documents: dict[str, tuple[float, SweepDocument]] = {}
_noted: dict[tuple[str, str], float] = {}  # when a kind's events were noted last (epoch s)
# By portal and kind: until when product rows are asked for by one owner, as arrays are refused.
_single_owners: defaultdict[str, dict[str, float]] = defaultdict(dict)


def handler(batch: SqsBatch, context: Context) -> BatchResponse:
    """Read the items that a batch hints at; returns the messages that must come back."""
    records = {record.message_id: record for record in map(SQSRecord, batch["Records"])}
    remaining = wiring.deadline(context, RESERVE_SECONDS)
    spread(records.values())
    hints, failed = to_hints(records)
    failed |= asyncio.run(_refresh(hints, remaining))
    back = return_messages(records, failed, remaining())
    _count("waiting", len(back))
    _count("dead_lettered", len(failed) - len(back))
    _report()
    return response(back)


async def _refresh(hints: Hints, remaining: Callable[[], float]) -> dict[str, Exception]:
    """Bring the mirror up to date; returns by message id the errors of messages not done."""
    by_portal = defaultdict[str, dict[Key, Hint]](dict)
    for key, hint in hints.items():
        by_portal[key.portal][key] = hint
    errors = await asyncio.gather(
        *(_guard(portal, of_portal, remaining) for portal, of_portal in by_portal.items())
    )
    return {number: error for of_portal in errors for number, error in of_portal.items()}


async def _guard(portal: str, hints: Hints, remaining: Callable[[], float]) -> dict[str, Exception]:
    """Return the messages of one portal that were not done; its errors affect no other portal."""
    try:
        return await _refresh_portal(portal, hints, remaining)
    except Exception as error:  # noqa: BLE001  a secret that is missing, AWS away, or a bug
        return by_message(hints, dict.fromkeys(hints, error))


async def _refresh_portal(
    name: str, hints: Hints, remaining: Callable[[], float]
) -> dict[str, Exception]:
    now = time.time()
    setting = PartsSetting.parse(settings.read("PARTS")[0])
    hints = {key: hint for key, hint in hints.items() if setting.mirrors(key.entity)}
    if not hints:
        return {}
    # SSM may hang, and the portals of a batch share this loop.
    portal = await asyncio.to_thread(wiring.portal, name, remaining)
    sent_before = portal.requests
    hints, lost = await with_owners(hints, portal, setting)
    await asyncio.to_thread(_note_events, name, hints, now)
    document = await asyncio.to_thread(_document, name, {key.entity for key in hints})
    rows = sum(kind.item_count for kind in document.kinds.values())
    rules = Rules(
        document=document,
        allow=lambda wanted: wiring.brake().take(name, wanted, rows, now),
        grace_seconds=float(settings.read("GRACE_SECONDS")[0]),
        setting=setting,
        single_owners=_single_owners[name],
        count=_count,
    )
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
    return by_message(hints, failed) | lost


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


def _count(metric: str, number: int) -> None:
    _counts[metric] += number


def _report() -> None:
    counted = {name: number for name, number in _counts.items() if number}
    _counts.clear()
    for name, number in counted.items():  # a metric costs by the hour in which it is reported
        metrics.add_metric(name, MetricUnit.Count, number)
    if counted:
        metrics.flush_metrics()
