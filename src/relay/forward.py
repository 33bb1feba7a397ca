"""Changes, and Events where they are wanted -> an EventBridge bus, each as it is.

An entry's detail is the CloudEvent, its detail-type the CloudEvent's type, its source `SOURCE`. A
record whose entry failed waits (relay.queue); EventBridge too may deliver twice, and
`detail.id` is then the same.
"""

import json
import time
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
from relay.queue import Wait, hand_back, seconds_until_retry

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
    failed: list[tuple[SQSRecord, Exception]] = []
    entries: list[Entry] = []
    for record in map(SQSRecord, batch["Records"]):
        try:
            entries.append(to_entry(record))
        except (NotOursError, RefusedError) as error:
            failed.append((record, error))
    groups = list(_groups(entries))
    for at, group in enumerate(groups):
        try:
            failed += _put(group)
        except (BotoCoreError, ClientError) as trouble:  # the others would wait for it in turn
            away = StateError(f"EventBridge: {trouble}")
            failed += [(entry.record, away) for each in groups[at:] for entry in each]
            break
    waiting = _hand_back(failed)
    metrics.add_metric("waiting", MetricUnit.Count, len(waiting))
    metrics.flush_metrics()
    return {"batchItemFailures": [{"itemIdentifier": record.message_id} for record in waiting]}


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


def _put(group: list[Entry]) -> list[tuple[SQSRecord, Exception]]:
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
        return [(group[0].record, RefusedError(str(error)))]
    failed: list[tuple[SQSRecord, Exception]] = []
    for entry, said in zip(group, answer["Entries"], strict=True):
        code = said.get("ErrorCode")
        if code is None:
            metrics.add_metric("forwarded", MetricUnit.Count, 1)
        elif code in LATER:
            failed.append((entry.record, StateError(f"EventBridge: {code}")))
        else:
            failed.append((entry.record, RefusedError(f"{code}: {said.get('ErrorMessage')}")))
    return failed


def _hand_back(failed: list[tuple[SQSRecord, Exception]]) -> list[SQSRecord]:
    """Let records wait or dead-letter them; returns what still is the queue's."""
    now = time.time()
    judged = [
        (record, error, seconds_until_retry(error, Wait.of(record, now)))
        for record, error in failed
    ]
    wrong = hand_back(judged)
    waiting = []
    for record, error, seconds in judged:
        trouble = wrong.get(record.message_id)
        about: dict[str, Any] = {"message_id": record.message_id, "reason": str(error)}
        if seconds is None and trouble is None:
            logger.error("dead-lettered", **about)
            metrics.add_metric("dead_lettered", MetricUnit.Count, 1)
            continue
        logger.warning("comes back", seconds=seconds, trouble=trouble, **about)
        waiting.append(record)
    return waiting
