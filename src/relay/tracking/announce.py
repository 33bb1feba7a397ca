"""Stream of the mirror -> Changes -> SNS. The stream is the outbox: a failed record comes again.

What a Change took away enters the history before the Change is published (relay.tracking.remember).

From the first record that could not be announced on, everything is delivered anew: a Change has
one id, however often it is published. No version of an item is published before an earlier one: a
group holds one Change of an item at most, and a group that is not published whole is the last.

A record that can never be announced (a row that no code understands, a Change that SNS refuses) is
set aside in its turn, and holds up nothing. A record that can't be announced now holds up its
shard, until the stream would drop it: then it is set aside as well.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from relay import settings
from relay.aws_types import BatchResponse, StreamBatch, StreamRecord, response
from relay.change import Change
from relay.echo import detect
from relay.errors import ConfigurationError, NewerFormatError, RefusedError, StateError
from relay.state_requests import StateRequests
from relay.tracking.difference import change_of
from relay.tracking.missed_changes import count
from relay.tracking.remember import remember
from relay.tracking.row import Row
from relay.tracking.set_aside import Entry, set_aside

BATCH = 10  # PublishBatch's limits
BATCH_BYTES = 256 * 1024
# A deploy brings the newer code within minutes. One that was rolled back never does, and its rows
# must not stop the shard.
NEWER_SECONDS = 3600
STREAM_SECONDS = 23 * 3600  # the stream drops a record after 24 hours
# SNS's codes for a message that it will never take. Other codes, such as those of KMS or of a
# missing right, pass when AWS or an operator has acted.
_NEVER = {
    "InvalidParameter",
    "InvalidParameterValue",
    "ParameterValueInvalid",
    "ValidationError",
    "ValidationException",
    "BatchRequestTooLong",
    "InvalidBatchEntryId",
}
_NOT_NOW = (ConfigurationError, StateError, BotoCoreError, ClientError)

logger = Logger(service="announce", location=None)
metrics = Metrics(service="announce")


def handler(batch: StreamBatch, _context: object = None) -> BatchResponse:
    """Publish the Changes of a stream batch; returns the record from which the stream goes on."""
    entries = [entry for record in batch["Records"] if (entry := _read(record))]
    _mark_echoes([entry for entry in entries if entry.change])
    remember(entries)  # first, so that no Change is announced that the history does not have
    stopped_at = _publish_in_order(entries)
    _log_published(entries)
    try:
        count([entry.change for entry in entries if entry.change and entry.published])
    except Exception as trouble:  # noqa: BLE001  statistics must not repeat the step
        logger.warning("not counted", reason=repr(trouble))
    metrics.flush_metrics()
    return response([stopped_at] if stopped_at else [])


def _log_published(entries: Sequence[Entry]) -> None:
    """Log the ids of the Changes that were published, by item: `make trace` looks for them."""
    changes = defaultdict[str, list[str]](list)
    for entry in entries:
        if entry.change and entry.published:
            changes[entry.change.subject].append(entry.change.change_id)
    if changes:
        logger.info("announced", changes=changes)


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
    except _NOT_NOW as trouble:
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


def _publish_in_order(entries: Sequence[Entry]) -> str | None:
    """Publish or set aside each entry; returns the number of the first that must come again."""
    groups = list(_groups(entries))
    for at, group in enumerate(groups, 1):
        left = _put_aside(group[0]) if group[0].error else _publish(group)
        for entry in left:
            if not (entry.is_older(STREAM_SECONDS) and set_aside(entry)):
                return entry.number
        if left and at < len(groups):  # AWS is slow to fail: one such group is enough for one run
            return groups[at][0].number
    return None


def _groups(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Yield groups that fit into one PublishBatch; an entry with an error stands alone."""
    group: list[Entry] = []
    size = 0
    for entry in entries:
        more = len(entry.text.encode()) if not entry.error else BATCH_BYTES
        full = len(group) == BATCH or size + more > BATCH_BYTES
        if group and (full or entry.item in {one.item for one in group}):
            yield group
            group, size = [], 0
        group.append(entry)
        size += more
    if group:
        yield group


def _publish(group: Sequence[Entry]) -> list[Entry]:
    """Publish a group, failed entries once more; returns those left for later."""
    left = list(group)
    (topic,) = settings.read("CHANGES_TOPIC_ARN")
    for _ in range(2):
        requests = [
            {"Id": str(at), "Message": entry.text, "MessageGroupId": entry.change.portal}
            for at, entry in enumerate(left)
            if entry.change
        ]
        try:
            answer = settings.client("sns").publish_batch(
                TopicArn=topic, PublishBatchRequestEntries=requests
            )
        except (BotoCoreError, ClientError) as error:
            logger.warning("not published", reason=str(error), changes=len(left))
            if not _is_final(error):
                return left
            if len(left) == 1:
                return _refuse(left[0], str(error))
            return [one for entry in left for one in _publish([entry])]
        failed = {int(failure["Id"]): failure for failure in answer.get("Failed", [])}
        later: list[Entry] = []
        for at, entry in enumerate(left):
            failure = failed.get(at)
            entry.published = failure is None
            if failure and failure.get("SenderFault") and failure.get("Code") in _NEVER:
                later += _refuse(entry, f"{failure['Code']}: {failure.get('Message')}")
            elif failure:
                later.append(entry)
        left = later
        if not left:
            break
    return left


def _is_final(error: BotoCoreError | ClientError) -> bool:
    """Say whether a request will never be taken; a wrong topic is the operator's to correct."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in _NEVER and "TopicArn" not in str(error)
    return isinstance(error, ParamValidationError)


def _refuse(entry: Entry, reason: str) -> list[Entry]:
    """Set aside an entry that SNS will never take; returns it if that failed."""
    entry.error = RefusedError(reason)
    return _put_aside(entry)


def _put_aside(entry: Entry) -> list[Entry]:
    """Set aside an entry with an error; returns it if it waits instead, or if that failed."""
    newer = isinstance(entry.error, NewerFormatError) and not entry.is_older(NEWER_SECONDS)
    if newer or isinstance(entry.error, _NOT_NOW):
        logger.warning("left for later", reason=repr(entry.error))
        return [entry]
    return [] if set_aside(entry) else [entry]
