"""What becomes of SQS records that were not handled: hidden until their next try, or dead-lettered.

Which of the two, and when, stands in relay.retry_policy.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import batched
from traceback import walk_tb
from typing import NamedTuple

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from relay import crowd, settings
from relay.errors import CallError, ConfigurationError, LoopError, OperatorError, RelayError
from relay.retry_policy import Delivery, Policy, policy_of, seconds_until_retry
from relay.unsendable import IN_TEXT

ENTRIES = 10  # SQS's limit for one request
# Metrics of records that wait, by their errors.
_COUNTED: dict[str, tuple[type[Exception], ...]] = {
    "blocked": (OperatorError, ConfigurationError),
    "loops": (LoopError,),
}
THREADS = 8
_REACTIONS = "relay/reactions/"
# To SQS: the records of a request, and a function that sends it and returns refusals by message id.
type _Request = tuple[Sequence[SQSRecord], Callable[[], dict[str, str] | None]]


class Unhandled(NamedTuple):
    """A record that a step did not handle."""

    record: SQSRecord
    error: Exception
    failures: int = 1  # of its policy RETRY
    fields: Mapping[str, object] = {}  # that name the record in its log line


def hand_back(
    unhandled: Sequence[Unhandled],
    logger: Logger,
    *,
    repeatable: bool = False,
    remaining_seconds: float = 0.0,
) -> list[str]:
    """Hide each record until its next try, or dead-letter it; return the ids of those that wait.

    `remaining_seconds` is what a crowded queue (relay.crowd) may take of the function's time.
    """
    # Once SQS does not answer, the other records are left to the queue's visibility timeout: each
    # further request could take seconds of a function that has few.
    now = time.time()
    judged = [
        (one, seconds_until_retry(one.error, Delivery.of(one.record, now), one.failures,
                                  repeatable=repeatable))
        for one in unhandled
    ]  # fmt: skip
    waits = [seconds for _, seconds in judged if seconds is not None]
    if remaining_seconds and crowd.is_crowded(waits):
        pause = crowd.pause_seconds(waits, remaining_seconds)
        logger.warning("crowded", extra={"records": len(waits), "seconds": round(pause, 1)})
        time.sleep(pause)
        judged = [(one, crowd.shortened(s) if s is not None else s) for one, s in judged]
    requests = _hiding([(one.record, seconds) for one, seconds in judged if seconds is not None])
    requests += [
        ([one.record], partial(dead_letter, one.record.body, one.error))
        for one, seconds in judged
        if seconds is None
    ]
    troubles = _send_all(requests)
    waiting = []
    for one, seconds in judged:
        trouble = troubles.get(one.record.message_id)
        if seconds is not None or trouble:  # in trouble it waits for the queue's own timeout
            waiting.append(one)
            _log(one, logger.warning, "comes back", trouble, seconds=seconds)
        else:
            _log(one, logger.error, "dead-lettered", trouble)
    _count(waiting, now)
    return [one.record.message_id for one in waiting]


def _log(
    one: Unhandled, write: Callable[..., None], text: str, trouble: str | None, **more: object
) -> None:
    """Log what became of a record; a bug with its traceback."""
    entry = {"message_id": one.record.message_id, **one.fields}
    entry |= {"error": type(one.error).__name__, "reason": str(one.error)}
    entry["receives"] = Delivery.of(one.record, time.time()).receives
    if place := _place(one.error):
        entry["at"] = place
    if trouble:
        entry["trouble"] = trouble
    is_bug = policy_of(one.error) is Policy.RETRY and one.error.__traceback__
    write(text, exc_info=one.error if is_bug else None, extra=entry | more)


def _place(error: Exception) -> str | None:
    """Return the innermost line of a reaction on an error's way, as `relay/reactions/x.py:12`."""
    found = None
    for frame, line in walk_tb(error.__traceback__):
        _, folder, name = frame.f_code.co_filename.rpartition(_REACTIONS)
        if folder:
            found = f"{folder}{name}:{line}"
    return found


def _count(waiting: Sequence[Unhandled], now: float) -> None:
    """Count what comes back, for alarms: the age of the oldest record, and its cause."""
    # One metric (service `relay`) for all functions: an alarm for each would cost more than it
    # tells. SQS's own age of the oldest message leaves out what was received three times.
    if not waiting:
        return
    metrics = EphemeralMetrics(service="relay")
    oldest = max(Delivery.of(one.record, now).age_seconds for one in waiting)
    metrics.add_metric("oldest", MetricUnit.Seconds, oldest)
    for name, kinds in _COUNTED.items():
        if number := sum(isinstance(one.error, kinds) for one in waiting):
            metrics.add_metric(name, MetricUnit.Count, number)
    metrics.flush_metrics()


def retry_later(waits: Sequence[tuple[SQSRecord, int]]) -> dict[str, str]:
    """Hide records for their seconds, counted from now; return SQS's refusals by message id."""
    return _send_all(_hiding(waits))


def dead_letter(body: str, error: Exception) -> None:
    """Put a message into the dead-letter queue with its reason; raises botocore's errors."""
    (queue_url,) = settings.read("DEAD_LETTERS_URL")
    kind, text = type(error).__name__, str(error) or "no message"
    reason = text if isinstance(error, RelayError) else f"{kind}: {text}"
    attributes = {"reason": reason, "error": kind}
    if isinstance(error, CallError):
        attributes |= {"method": error.method, "code": error.code or "none"}
    settings.client("sqs").send_message(
        QueueUrl=queue_url,
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": IN_TEXT.sub("\ufffd", value[:1000])}
            for name, value in attributes.items()
        },
    )


def _send_all(requests: Sequence[_Request]) -> dict[str, str]:
    """Send requests at the same time; return SQS's refusals by message id."""
    down: list[str] = []

    def send(request: _Request) -> dict[str, str]:
        records, call = request
        if not down:
            try:
                return call() or {}
            except (BotoCoreError, ClientError) as trouble:
                down.append(str(trouble))
        return {record.message_id: down[0] for record in records}

    if len(requests) <= 1:
        return send(requests[0]) if requests else {}
    with ThreadPoolExecutor(THREADS) as threads:
        return {mid: why for refused in threads.map(send, requests) for mid, why in refused.items()}


def _hiding(waits: Sequence[tuple[SQSRecord, int]]) -> list[_Request]:
    return [
        ([record for record, _ in group], partial(_hide, group))
        for group in batched(waits, ENTRIES, strict=False)
    ]


def _hide(group: Sequence[tuple[SQSRecord, int]]) -> dict[str, str]:
    (queue_url,) = settings.read("QUEUE_URL")
    entries = [
        {"Id": str(at), "ReceiptHandle": record.receipt_handle, "VisibilityTimeout": seconds}
        for at, (record, seconds) in enumerate(group)
    ]
    answer = settings.client("sqs").change_message_visibility_batch(
        QueueUrl=queue_url, Entries=entries
    )
    return {
        group[int(failed["Id"])][0].message_id: str(failed.get("Message", failed["Code"]))
        for failed in answer.get("Failed", ())
    }
