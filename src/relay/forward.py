"""Changes, and Events where `Forward` is `all` -> an EventBridge bus, unchanged.

An entry's detail is the CloudEvent, its detail-type the CloudEvent's type, its source `SOURCE`. A
record whose entry failed waits (relay.retry_policy). EventBridge may deliver an entry twice:
`detail.id` is then the same.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.aws_types import BatchResponse, SqsBatch, response
from relay.change import ACTIONS, TYPE_PREFIX
from relay.cloudevent import Envelope, Parsed, to_text
from relay.errors import NotOursError, RefusedError, StateError
from relay.groups import groups
from relay.queue import Unhandled, hand_back

SOURCE = "bitrix24-relay"
MAX_ENTRIES = 10  # PutEvents' limits; 1 MB since January 2026, 256 KB before
MAX_BYTES = 1_000_000
TIME_BYTES = 14  # counted by EventBridge for an entry's time
RETRY_CODES = {"InternalFailure", "InternalException", "ThrottlingException"}
INVALID_REQUEST = "ValidationException"

logger = Logger(service="forward", location=None)
metrics = Metrics(service="forward")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, its entry in a PutEvents request, and the bytes that EventBridge counts for it."""

    record: SQSRecord
    request: dict[str, object]
    size: int


def handler(batch: SqsBatch, _context: object = None) -> BatchResponse:
    """Put each record of an SQS batch onto the bus; return those that must come back."""
    (bus,) = settings.read("BUS_NAME")
    entries: list[Entry] = []
    unhandled: list[Unhandled] = []
    for record in map(SQSRecord, batch["Records"]):
        try:
            entries.append(to_entry(record, bus))
        except (NotOursError, RefusedError) as error:
            unhandled.append(Unhandled(record, error))
    unhandled += _put_all(entries)
    waiting = hand_back(unhandled, logger)
    if dead := len(unhandled) - len(waiting):
        metrics.add_metric("dead_lettered", MetricUnit.Count, dead)
    if waiting:
        metrics.add_metric("waiting", MetricUnit.Count, len(waiting))
    metrics.flush_metrics()
    return response(waiting)


def to_entry(record: SQSRecord, bus: str) -> Entry:
    """Return a record's entry, shortened where it would not fit.

    Raises NotOursError for a message that is no CloudEvent of this relay, RefusedError for one that
    can't be shortened enough.
    """
    try:
        document = json.loads(record.body)
        envelope = Envelope.of(document, TYPE_PREFIX)
        time = datetime.fromisoformat(envelope.time)
        around = len(SOURCE) + len(envelope.type_name.encode()) + TIME_BYTES
        detail = shorten(document, record.body, MAX_BYTES - around)
        size = around + len(detail.encode())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotOursError(f"not a change or event of this relay: {error!r}") from error
    request = {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": envelope.type_name,
        "Time": time,
        "Detail": detail,
    }
    return Entry(record, request, size)


def shorten(document: dict[str, Parsed], text: str, limit: int) -> str:
    """Return a CloudEvent's text within a limit in bytes.

    `text` is the document's JSON. A Change loses its largest fields, which `truncated` then names;
    raises RefusedError where there is no field to leave out.
    """
    data = document["data"]
    sides = ("before", "after") if data["action"] in ACTIONS else ()
    while len(text.encode()) > limit:
        names = {name for side in sides for name in data[side]}
        sizes = {name: len(to_text([data[side].get(name) for side in sides])) for name in names}
        if not sizes:
            raise RefusedError(f"{len(text.encode())} bytes, of which EventBridge takes {limit}")
        largest = max(sizes, key=lambda name: sizes[name])
        for side in sides:
            data[side].pop(largest, None)
        data["truncated"] = [*data.get("truncated", ()), largest]
        text = to_text(document)
    return text


def _put_all(entries: list[Entry]) -> list[Unhandled]:
    """Put entries onto the bus; return those that EventBridge did not take."""
    unhandled: list[Unhandled] = []
    requests = list(groups(entries, lambda entry: entry.size, MAX_ENTRIES, MAX_BYTES))
    for at, group in enumerate(requests):
        try:
            unhandled += _put(group)
        except (BotoCoreError, ClientError) as trouble:  # each other group would fail as slowly
            away = StateError(f"EventBridge: {trouble}")
            left = [one for rest in requests[at:] for one in rest]
            return unhandled + [Unhandled(one.record, away) for one in left]
    return unhandled


def _put(group: list[Entry]) -> list[Unhandled]:
    """Put entries in one request; return those not taken. Raises botocore's errors."""
    try:
        answer = settings.client("events", read_seconds=5).put_events(
            Entries=[entry.request for entry in group]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != INVALID_REQUEST:
            raise
        if len(group) > 1:  # the invalid entry must not hold up the others
            return [failure for entry in group for failure in _put([entry])]
        return [Unhandled(group[0].record, RefusedError(str(error)))]
    unhandled: list[Unhandled] = []
    for entry, answered in zip(group, answer["Entries"], strict=True):
        code = answered.get("ErrorCode")
        if code is None:
            metrics.add_metric("forwarded", MetricUnit.Count, 1)
        elif code in RETRY_CODES:
            unhandled.append(Unhandled(entry.record, StateError(f"EventBridge: {code}")))
        else:
            refusal = RefusedError(f"{code}: {answered.get('ErrorMessage')}")
            unhandled.append(Unhandled(entry.record, refusal))
    return unhandled
