"""Stream of the mirror -> Changes -> SNS. The stream is the outbox: a failed record comes again.

What a Change took away enters the history before the Change is published (relay.tracking.remember).

From the first record that could not be announced on, everything is delivered anew: a Change has
one id, however often it is published (relay.tracking.publish).

A record that can never be announced (a row that no code understands, a Change that SNS refuses) is
set aside in its turn, and holds up nothing. A record that can't be announced now holds up its
shard, until the stream would drop it: then it is set aside as well.
"""

from collections.abc import Sequence

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics

from relay import settings
from relay.aws_types import BatchResponse, StreamBatch, StreamRecord, response
from relay.change import Change
from relay.echo import detect
from relay.state_requests import StateRequests
from relay.tracking.difference import change_of
from relay.tracking.missed_changes import count
from relay.tracking.publish import NOT_NOW, Entry, publish_in_order
from relay.tracking.remember import remember
from relay.tracking.row import Row

logger = Logger(service="announce", location=None)
metrics = Metrics(service="announce")


def handler(batch: StreamBatch, _context: object = None) -> BatchResponse:
    """Publish the Changes of a stream batch; returns the record from which the stream goes on."""
    entries = [entry for record in batch["Records"] if (entry := _read(record))]
    _mark_echoes([entry for entry in entries if entry.change])
    remember(entries)  # first, so that no Change is announced that the history does not have
    stopped_at = publish_in_order(entries)
    _log_published(entries)
    try:
        count([entry.change for entry in entries if entry.change and entry.published])
    except Exception as trouble:  # noqa: BLE001  statistics must not repeat the step
        logger.warning("not counted", reason=repr(trouble))
    metrics.flush_metrics()
    return response([stopped_at] if stopped_at else [])


def _log_published(entries: Sequence[Entry]) -> None:
    """Log the published ids by item, a line a portal: `make trace` looks for them."""
    published: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        if (change := entry.change) and entry.published:
            by_item = published.setdefault(change.portal, {})
            by_item.setdefault(change.subject, []).append(change.change_id)
    for portal, changes in published.items():
        logger.info("announced", portal=portal, changes=changes)


def _read(record: StreamRecord) -> Entry | None:
    """Return a record with its Change, or with the error of a row that no code understands."""
    try:
        change = to_change(record)
    except Exception as error:  # noqa: BLE001  one bad row must not hold up the others
        return Entry(record, error=error)
    return Entry(record, change) if change else None


def to_change(record: StreamRecord) -> Change | None:
    """Return the Change of a stream record, None if nothing is to be announced."""
    images = record["dynamodb"]
    if "NewImage" not in images:
        return None  # a row that was removed by hand
    old = Row.of(images["OldImage"]) if images.get("OldImage") else None
    return change_of(old, Row.of(images["NewImage"]))


def _mark_echoes(entries: Sequence[Entry]) -> None:
    """Mark each Change that a reaction wrote, and write its text."""
    # An entry of which this can't be found out gets the error: an echo without its mark would begin
    # a loop.
    changes = [entry.change for entry in entries if entry.change]
    if not changes:
        return
    try:
        (table,) = settings.read("STATE_TABLE")
        state = StateRequests(settings.client("dynamodb"), table)
        since = {
            change.change_id: former_reading(entry.record)
            for change, entry in zip(changes, entries, strict=True)
        }
        marked = detect.mark_echoes(changes, state.load, since)
        for entry, change in zip(entries, marked, strict=True):
            entry.change, entry.text = change, change.to_json()
    except NOT_NOW as trouble:
        for entry in entries:
            entry.error = trouble
    except Exception as error:  # noqa: BLE001  one bad Change must not hold up the others
        if len(entries) == 1:
            entries[0].error = error
        else:
            for entry in entries:
                _mark_echoes([entry])


def former_reading(record: StreamRecord) -> float:
    """Return when the old image was read, in seconds since 1970; 0 without an old image."""
    old = record["dynamodb"].get("OldImage")
    return float(old["read_at"]["N"]) if old else 0.0
