"""Stream of the mirror -> Changes -> SNS. The stream is the outbox: what fails comes again.

From the first record that could not be announced on, everything is delivered anew: a Change has
one id, however often it is.
"""

import base64
import json
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from relay import echo, settings
from relay.change import Change
from relay.errors import StateError
from relay.state import State
from relay.tracking import parts
from relay.tracking.difference import change_of
from relay.tracking.hint import SWEEP
from relay.tracking.row import NewerFormatError, Row
from relay.tracking.state import MISSED, is_subscribed

BATCH = 10  # PublishBatch's limits
BATCH_BYTES = 256 * 1024
QUEUE_BYTES = 1_000_000  # SQS takes 1 MiB; two images of a row may be more
SEEN_SECONDS = 60
# A funnel move raises no event for an outgoing webhook (rest-protocol section 15).
FUNNEL = "categoryId"

logger = Logger(service="announce")
metrics = Metrics(service="announce")
_seen: dict[str, tuple[float, dict[str, float]]] = {}


def handler(batch: dict[str, Any], _context: Any = None) -> dict[str, Any]:
    """Announce what the records of a stream batch changed; returns from where to go on."""
    announced: list[Change] = []
    failed = _announce(batch["Records"], announced)
    _count(announced)
    metrics.flush_metrics()
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}


def _announce(records: Sequence[Mapping[str, Any]], announced: list[Change]) -> str | None:
    """Publish the Changes in order; returns the number of the first that was not."""
    changes: list[tuple[str, Change, str]] = []
    since: dict[str, float] = {}
    stopped: str | None = None
    for record in records:
        number: str = record["dynamodb"]["SequenceNumber"]
        try:
            change = to_change(record)
            if change:
                changes.append((number, change, ""))
                since[change.change_id] = former_reading(record)
        except NewerFormatError as error:
            logger.warning("left for newer code", reason=str(error))
            stopped = number
            break
        except Exception as error:  # noqa: BLE001  one bad row must not hold up the others
            if not _set_aside(record, error):
                stopped = number
                break
    if changes:
        try:
            (table,) = settings.read("STATE_TABLE")
            state = State(settings.client("dynamodb"), table)
            found = [change for _, change, _ in changes]
            marked = echo.mark(found, state.load, since)
        except (StateError, BotoCoreError, ClientError) as trouble:
            # Taken for a person's, an echo would begin a loop.
            logger.warning("left until the ledger can be read", reason=str(trouble))
            return changes[0][0]
        changes = [
            (number, change, change.to_json())
            for (number, *_), change in zip(changes, marked, strict=True)
        ]
    for group in _groups(changes):
        failed = _publish(group)
        announced += [change for number, change, _ in group if number not in failed]
        if failed:
            return next(number for number, *_ in group if number in failed)
    return stopped


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


def _groups(
    changes: Sequence[tuple[str, Change, str]],
) -> Iterator[list[tuple[str, Change, str]]]:
    """Yield what fits into one PublishBatch."""
    group: list[tuple[str, Change, str]] = []
    size = 0
    for change in changes:
        more = len(change[2].encode())
        if group and (len(group) == BATCH or size + more > BATCH_BYTES):
            yield group
            group, size = [], 0
        group.append(change)
        size += more
    if group:
        yield group


def _publish(group: Sequence[tuple[str, Change, str]]) -> set[str]:
    """Publish a group, what failed once more; returns the numbers that were not."""
    left = list(group)
    (topic,) = settings.read("CHANGES_TOPIC_ARN")
    for _ in range(2):
        entries = [
            {"Id": str(at), "Message": text, "MessageGroupId": change.portal}
            for at, (_, change, text) in enumerate(left)
        ]
        try:
            answer = settings.client("sns").publish_batch(
                TopicArn=topic, PublishBatchRequestEntries=entries
            )
        except (BotoCoreError, ClientError) as error:
            logger.warning("not published", reason=str(error), changes=len(left))
            break
        left = [left[int(entry["Id"])] for entry in answer.get("Failed", [])]
        if not left:
            break
    return {number for number, *_ in left}


def _set_aside(record: Mapping[str, Any], error: Exception) -> bool:
    """Put a record that can't be understood into a queue of its own, whole; says if it is there."""
    (queue_url,) = settings.read("DEAD_LETTERS_URL")
    reason = {"reason": {"DataType": "String", "StringValue": repr(error)[:1000]}}
    body = json.dumps(record, ensure_ascii=False)
    if len(body.encode()) > QUEUE_BYTES:  # `make redrive` reads both
        body = base64.b64encode(zlib.compress(body.encode())).decode()
    try:
        settings.client("sqs").send_message(
            QueueUrl=queue_url, MessageBody=body, MessageAttributes=reason
        )
    except (BotoCoreError, ClientError) as trouble:
        logger.warning("not set aside", reason=repr(error), trouble=str(trouble))
        return False
    logger.error("set aside", reason=repr(error))
    metrics.add_metric("poison", MetricUnit.Count, 1)
    return True


def _count(announced: Sequence[Change]) -> None:
    """Count what was announced, and what events should have announced and had not."""
    metrics.add_metric("announced", MetricUnit.Count, len(announced))
    missed: dict[str, int] = {}
    now = time.time()
    for change in announced:
        what = f" {', '.join(change.changed)}" * bool(change.changed)
        logger.info(
            "%s",
            f"{change.entity} {change.id} {change.action}{what}, {change.via}",
            change_id=change.change_id,
            portal=change.portal,
        )
        if change.via == SWEEP and FUNNEL not in change.changed:
            subscribed = is_subscribed(_events(change.portal), change.entity, now)
            missed[change.portal] = missed.get(change.portal, 0) + subscribed
    for portal, number in missed.items():
        if number:
            metrics.add_metric("MissedChanges", MetricUnit.Count, number)
            parts.seen().note(portal, {MISSED}, now)


def _events(portal: str) -> dict[str, float]:
    read_at, seen = _seen.get(portal, (float("-inf"), {}))
    if time.monotonic() - read_at >= SEEN_SECONDS:
        seen = parts.seen().read(portal)
        _seen[portal] = time.monotonic(), seen
    return seen
