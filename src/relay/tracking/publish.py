"""Changes -> SNS, in groups and in the order of the stream; what can never go is set aside.

No version of an item is published before an earlier one: a group holds one Change of an item at
most, and a group that is not published whole is the last.
"""

import base64
import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from relay import settings
from relay.aws_types import StreamRecord
from relay.change import Change
from relay.errors import ConfigurationError, NewerFormatError, RefusedError, StateError
from relay.groups import groups
from relay.queue import dead_letter

BATCH = 10  # PublishBatch's limits
BATCH_BYTES = 256 * 1024
# A deploy brings the newer code within minutes. One that was rolled back never does, and its rows
# must not stop the shard.
NEWER_SECONDS = 3600
QUEUE_BYTES = 1_000_000  # SQS takes 1 MiB; two images of a row may be more
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
NOT_NOW = (ConfigurationError, StateError, BotoCoreError, ClientError)

logger = Logger(service="announce", location=None)
metrics = Metrics(service="announce")


@dataclass(slots=True)
class Entry:
    """A stream record with its Change and the Change's text, or the error that prevents them."""

    record: StreamRecord
    change: Change | None = None
    text: str = ""
    error: Exception | None = None
    published: bool = False

    @property
    def number(self) -> str:
        """Return the record's place in the stream."""
        return self.record["dynamodb"]["SequenceNumber"]

    @property
    def item(self) -> str:
        """Return the item's part of the Change's id; the record's place if there is no Change."""
        return self.change.change_id.rpartition(".")[0] if self.change else self.number

    def is_older(self, seconds: float) -> bool:
        """Say whether the row was put longer ago than that."""
        put_at = self.record["dynamodb"].get("ApproximateCreationDateTime", time.time())
        return time.time() - put_at > seconds


def publish_in_order(entries: Sequence[Entry]) -> str | None:
    """Publish or set aside each entry; returns the number of the first that must come again."""
    batches = list(groups(entries, _bytes, BATCH, BATCH_BYTES, _is_apart))
    for at, group in enumerate(batches, 1):
        left = _put_aside(group[0]) if group[0].error else _publish(group)
        for entry in left:
            if not (entry.is_older(STREAM_SECONDS) and _set_aside(entry)):
                return entry.number
        if left and at < len(batches):  # AWS is slow to fail: one such group is enough for one run
            return batches[at][0].number
    return None


def _bytes(entry: Entry) -> int:
    """Return how much of a group an entry takes; one with an error stands alone."""
    return BATCH_BYTES if entry.error else len(entry.text.encode())


def _is_apart(entry: Entry, group: Sequence[Entry]) -> bool:
    return entry.item in {one.item for one in group}


def _publish(group: Sequence[Entry]) -> list[Entry]:
    """Publish a group, failed entries once more; returns those left for later."""
    left = list(group)
    (topic,) = settings.read("CHANGES_TOPIC_ARN")
    for _ in range(2):
        requests = [
            {"Id": str(at), "Message": entry.text, **_group(entry.record, entry.change.portal)}
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


def _group(record: StreamRecord, portal: str) -> dict[str, str]:
    """Return a message's group, which makes queues fair between portals and is billed by SQS."""
    alone = "alone" in record["dynamodb"]["NewImage"]
    return {} if alone else {"MessageGroupId": portal}


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
    if newer or isinstance(entry.error, NOT_NOW):
        logger.warning("left for later", reason=repr(entry.error))
        return [entry]
    return [] if _set_aside(entry) else [entry]


def _set_aside(entry: Entry) -> bool:
    """Put the whole record into the dead-letter queue; returns whether it is there."""
    error = entry.error or RefusedError("not announced before the stream would drop it")
    try:
        dead_letter(body_of(entry.record), error)
    except (BotoCoreError, ClientError) as trouble:
        logger.warning("not set aside", reason=repr(error), trouble=str(trouble))
        return False
    logger.error("set aside", reason=repr(error))
    metrics.add_metric("poison", MetricUnit.Count, 1)
    return True


def body_of(record: StreamRecord) -> str:
    """Return a record as a message of the queue has it; `make redrive` reads it."""
    body = json.dumps(record)  # in ASCII, of which SQS refuses nothing
    if len(body) > QUEUE_BYTES:
        body = base64.b64encode(zlib.compress(body.encode())).decode()
    return body
