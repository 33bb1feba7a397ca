"""Changes, and Events where they are wanted -> an EventBridge bus, each as it is.

An entry's detail is the CloudEvent, its detail-type the CloudEvent's type, its source `SOURCE`. A
record whose entry failed waits (relay.queue); EventBridge too may deliver twice, and
`detail.id` is then the same.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.change import ACTIONS, TYPE_PREFIX
from relay.errors import NotOursError, RefusedError, StateError
from relay.queue import Unhandled, hand_back

SOURCE = "bitrix24-relay"
ENTRIES = 10  # PutEvents' limits; 1 MB since January 2026, 256 KB before
BYTES = 1_000_000
TIME_BYTES = 14  # what EventBridge counts for an entry's time
LATER = {"InternalFailure", "InternalException", "ThrottlingException"}
WRONG = "ValidationException"

logger = Logger(service="forward")
metrics = Metrics(service="forward")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record and what it is to EventBridge."""

    record: SQSRecord
    put: dict[str, Any]
    size: int


def handler(batch: dict[str, Any], _context: Any = None) -> dict[str, Any]:
    """Put a batch onto the bus; returns the records that must come back."""
    unhandled: list[Unhandled] = []
    entries: list[Entry] = []
    for record in map(SQSRecord, batch["Records"]):
        try:
            entries.append(to_entry(record))
        except (NotOursError, RefusedError) as error:
            unhandled.append(Unhandled(record, error))
    groups = list(_groups(entries))
    for at, group in enumerate(groups):
        try:
            unhandled += _put(group)
        except (BotoCoreError, ClientError) as trouble:  # the others would wait for it in turn
            away = StateError(f"EventBridge: {trouble}")
            unhandled += [Unhandled(entry.record, away) for each in groups[at:] for entry in each]
            break
    outcomes = hand_back(unhandled)
    for outcome in outcomes:
        outcome.log(logger)
    back = [outcome.unhandled.record for outcome in outcomes if outcome.comes_back]
    if dead := len(outcomes) - len(back):
        metrics.add_metric("dead_lettered", MetricUnit.Count, dead)
    metrics.add_metric("waiting", MetricUnit.Count, len(back))
    metrics.flush_metrics()
    return {"batchItemFailures": [{"itemIdentifier": record.message_id} for record in back]}


def to_entry(record: SQSRecord) -> Entry:
    """Return a record's entry, shortened where it would not fit."""
    (bus,) = settings.read("BUS_NAME")
    try:
        cloudevent = json.loads(record.body)
        kind, when = cloudevent["type"], datetime.fromisoformat(cloudevent["time"])
        around = len(SOURCE) + len(kind.encode()) + TIME_BYTES
        detail = shorten(cloudevent, record.body, BYTES - around)
        size = around + len(detail.encode())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotOursError(f"not a change or event of this relay: {error!r}") from error
    if not kind.startswith(TYPE_PREFIX):
        raise NotOursError(f"type is {kind!r}, not {TYPE_PREFIX}*")
    put = {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": kind,
        "Time": when,
        "Detail": detail,
    }
    return Entry(record, put, size)


def shorten(cloudevent: dict[str, Any], text: str, limit: int) -> str:
    """Return a CloudEvent's text within a limit: of a Change its largest fields are left out."""
    data = cloudevent["data"]
    sides = ("before", "after") if data["action"] in ACTIONS else ()
    while len(text.encode()) > limit:
        names = {name for side in sides for name in data[side]}
        sizes = {name: len(_text([data[side].get(name) for side in sides])) for name in names}
        if not sizes:
            raise RefusedError(f"{len(text.encode())} bytes, of which EventBridge takes {limit}")
        largest = max(sizes, key=lambda name: sizes[name])
        for side in sides:
            data[side].pop(largest, None)
        data["truncated"] = [*data.get("truncated", ()), largest]
        text = _text(cloudevent)
    return text


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _groups(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Yield what fits into one request."""
    group: list[Entry] = []
    for entry in entries:
        if len(group) == ENTRIES or sum(each.size for each in group) + entry.size > BYTES:
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _put(group: list[Entry]) -> list[Unhandled]:
    """Put a group; returns what was not taken, each record with the reason."""
    try:
        answer = settings.client("events", read_seconds=5).put_events(
            Entries=[entry.put for entry in group]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != WRONG:
            raise
        if len(group) > 1:  # one of them must not hold up the others
            return [failure for entry in group for failure in _put([entry])]
        return [Unhandled(group[0].record, RefusedError(str(error)))]
    unhandled: list[Unhandled] = []
    for entry, answered in zip(group, answer["Entries"], strict=True):
        code = answered.get("ErrorCode")
        if code is None:
            metrics.add_metric("forwarded", MetricUnit.Count, 1)
        elif code in LATER:
            unhandled.append(Unhandled(entry.record, StateError(f"EventBridge: {code}")))
        else:
            refusal = RefusedError(f"{code}: {answered.get('ErrorMessage')}")
            unhandled.append(Unhandled(entry.record, refusal))
    return unhandled
