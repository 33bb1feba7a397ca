"""Stream of the mirror -> Changes -> SNS. The stream is the outbox: what fails comes again.

From the first record that could not be announced on, everything is delivered anew: a Change has
one id, however often it is. No version of an item is published before an earlier one of it: a
group holds one Change of an item at most, and a group that is not published whole is the last.

What can never be announced (a row that nobody understands, a Change that SNS refuses) is set
aside in its turn, and holds up nothing. What can't be announced now holds up its shard, until the
stream would drop it: then it is set aside as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from relay import settings
from relay.change import Change
from relay.echo import detect
from relay.errors import ConfigurationError, NewerFormatError, RefusedError, StateError
from relay.state_requests import StateRequests
from relay.tracking.difference import change_of
from relay.tracking.missed_changes import count
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

logger = Logger(service="announce")
metrics = Metrics(service="announce")


def handler(batch: dict[str, Any], _context: Any = None) -> dict[str, Any]:
    """Announce what the records of a stream batch changed; returns from where to go on."""
    announced: list[Change] = []
    failed = _announce(batch["Records"], announced)
    try:
        count(announced)
    except Exception as trouble:  # noqa: BLE001  what only describes must not repeat the step
        logger.warning("not counted", reason=repr(trouble))
    metrics.flush_metrics()
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}


def _announce(records: Sequence[Mapping[str, Any]], announced: list[Change]) -> str | None:
    """Publish the Changes in order; returns the number of the first record that must come again."""
    entries = [entry for record in records if (entry := _read(record))]
    changes = [entry for entry in entries if entry.change]
    if changes:
        _mark(changes)
    groups = list(_groups(entries))
    for at, group in enumerate(groups, 1):
        left = _put_aside(group[0]) if group[0].error else _publish(group)
        waiting = {entry.number for entry in left}
        announced += [
            entry.change
            for entry in group
            if entry.change and not entry.error and entry.number not in waiting
        ]
        for entry in left:
            if not (entry.is_older(STREAM_SECONDS) and set_aside(entry)):
                return entry.number
        if left and at < len(groups):  # AWS is slow to fail: one such group is enough for one run
            return groups[at][0].number
    return None


def _read(record: Mapping[str, Any]) -> Entry | None:
    """Return a record with the Change that it means, or with why nobody understands it."""
    try:
        change = to_change(record)
    except Exception as error:  # noqa: BLE001  one bad row must not hold up the others
        return Entry(record, error=error)
    return Entry(record, change) if change else None


def to_change(record: Mapping[str, Any]) -> Change | None:
    """Return the change that a stream record means, if it means one."""
    images = record["dynamodb"]
    if "NewImage" not in images:
        return None  # a row that was removed by hand
    old = Row.of(images["OldImage"]) if images.get("OldImage") else None
    return change_of(old, Row.of(images["NewImage"]))


def former_reading(record: Mapping[str, Any]) -> float:
    """Return when the old image was read, 0 where there is none."""
    old = record["dynamodb"].get("OldImage")
    return float(old["read_at"]["N"]) if old else 0.0


def _mark(entries: Sequence[Entry]) -> None:
    """Say of each Change whether a reaction wrote it, and write it out.

    An entry of which that can't be said gets the error: an echo taken for a person's change
    would begin a loop.
    """
    try:
        (table,) = settings.read("STATE_TABLE")
        state = StateRequests(settings.client("dynamodb"), table)
        found = [entry.change for entry in entries if entry.change]
        since = {
            entry.change.change_id: former_reading(entry.record)
            for entry in entries
            if entry.change
        }
        marked = detect.mark_echoes(found, state.load, since)
        for entry, change in zip(entries, marked, strict=True):
            entry.change, entry.text = change, change.to_json()
            entry.text.encode()
    except _NOT_NOW as trouble:
        for entry in entries:
            entry.error = trouble
    except Exception as error:  # noqa: BLE001  one bad change must not hold up the others
        if len(entries) == 1:
            entries[0].error = error
        else:
            for entry in entries:
                _mark([entry])


def _groups(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Yield what fits into one PublishBatch; what can't be published stands alone."""
    group: list[Entry] = []
    items: set[str] = set()
    size = 0
    for entry in entries:
        item = _item(entry)
        more = len(entry.text.encode()) if not entry.error else BATCH_BYTES
        if group and (len(group) == BATCH or size + more > BATCH_BYTES or item in items):
            yield group
            group, items, size = [], set(), 0
        group.append(entry)
        items.add(item)
        size += more
    if group:
        yield group


def _item(entry: Entry) -> str:
    return entry.change.change_id.rpartition(".")[0] if entry.change else entry.number


def _publish(group: Sequence[Entry]) -> list[Entry]:
    """Publish a group, what failed once more; returns what was not and may be later.

    What SNS will never take is set aside.
    """
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
        later: list[Entry] = []
        for failure in answer.get("Failed", []):
            entry = left[int(failure["Id"])]
            if failure.get("SenderFault") and failure.get("Code") in _NEVER:
                later += _refuse(entry, f"{failure['Code']}: {failure.get('Message')}")
            else:
                later.append(entry)
        left = later
        if not left:
            break
    return left


def _is_final(error: BotoCoreError | ClientError) -> bool:
    """Say whether a request will never be taken. A wrong topic is the operator's to mend."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in _NEVER and "TopicArn" not in str(error)
    return isinstance(error, ParamValidationError)


def _refuse(entry: Entry, reason: str) -> list[Entry]:
    """Set aside what SNS will never take; returns it where that failed."""
    entry.error = RefusedError(reason)
    return _put_aside(entry)


def _put_aside(entry: Entry) -> list[Entry]:
    """Set aside what has an error; returns it where it waits instead, or that failed."""
    newer = isinstance(entry.error, NewerFormatError) and not entry.is_older(NEWER_SECONDS)
    if newer or isinstance(entry.error, _NOT_NOW):
        logger.warning("left for later", reason=repr(entry.error))
        return [entry]
    return [] if set_aside(entry) else [entry]
