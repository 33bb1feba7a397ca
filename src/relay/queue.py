"""What becomes of a record that was not handled: it waits, or it goes to the dead-letter queue.

TransientError, StateError,
an AWS service that does not answer  waits: 15 s at first, 15 min at last, longer where told so
OperatorError, ConfigurationError    waits: a quarter of an hour each time
LoopError                            waits like that, but for the end of its hour at least
NextBatchError                       waits a second: nothing was tried
PermanentError, MayHaveRunError,
DivergedError, RowError,
NotOursError, RefusedError                      the dead-letter queue at once, with the reason
anything else, HungError among it    waits ATTEMPTS - 1 times, then the dead-letter queue

Only the last counts as a failure: waiting uses up no attempt. After KEEP_SECONDS a record that
still waits is dead-lettered with its reason: SQS deletes a message 14 days after it was sent,
wherever it is by then. No queue's `maxReceiveCount` is reached by waiting so long; it is there for
what kills its function each time (tests/integration/test_outages.py computes both).
"""

import random
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any, NamedTuple

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotReachedError

from relay import settings
from relay.errors import (
    CallError,
    ConfigurationError,
    DivergedError,
    LoopError,
    MayHaveRunError,
    NextBatchError,
    NotOursError,
    OperatorError,
    PermanentError,
    RefusedError,
    RowError,
    StateError,
    TransientError,
)

ATTEMPTS = 5
SOON_SECONDS = 30  # after a failure; twice as long after each further one
FIRST_SECONDS, LAST_SECONDS = 15, 900  # of waits that double
KEEP_SECONDS = 7 * 24 * 3600  # half of what SQS keeps a message: a person has the other half
SPREAD_SECONDS = 150  # at most, over which records spread that were told the same time
# SQS's limit is 12 h from the receive; the longest batching window and run are over by now.
MAX_VISIBILITY_SECONDS = 12 * 3600 - 300 - 900
ENTRIES = 10  # SQS's limit for one request
THREADS = 8


class Wait(NamedTuple):
    """How often a record was received, and how old it is, in seconds."""

    receives: int = 1
    age: float = 0.0

    @classmethod
    def of(cls, record: SQSRecord, now: float) -> "Wait":
        """Return what SQS tells of a record."""
        its = record.raw_event.get("attributes", {})
        sent = float(its.get("SentTimestamp", now * 1000)) / 1000
        return cls(int(its.get("ApproximateReceiveCount", 1)), max(now - sent, 0.0))


# SQS refuses a message with one of these in it.
_UNSENDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NEVER = (PermanentError, MayHaveRunError, DivergedError, RowError, NotOursError, RefusedError)
_WAITS = (
    TransientError, OperatorError, ConfigurationError, StateError, LoopError, NextBatchError
)  # fmt: skip
_BUSY = re.compile("throttl|toomanyrequests|throughput|slowdown|limitexceeded", re.IGNORECASE)
_SERVER_ERROR = 500
_Step = Callable[[Any], dict[str, str]]


def is_failure(error: Exception) -> bool:
    """Say whether an error is the reaction's own: only those are counted."""
    return not (isinstance(error, (*_NEVER, *_WAITS)) or _is_away(error))


def seconds_until_retry(error: Exception, wait: Wait, failures: int = 1) -> int | None:
    """Return the seconds until a record is worth another try; None if it never is.

    `failures` counts how often its handling has failed, this time included.
    """
    if is_failure(error):
        seconds = SOON_SECONDS * 2 ** (failures - 1) * random.uniform(1, 1.25)
        return round(seconds) if failures < ATTEMPTS else None
    if isinstance(error, _NEVER):
        return None
    if isinstance(error, NextBatchError):
        return 1
    if isinstance(error, (OperatorError, ConfigurationError)):
        return operator_patience(wait)
    told = error.retry_after if isinstance(error, (TransientError, LoopError)) else 0
    return patience(wait, told or 0)


def patience(wait: Wait, at_least: float = 0) -> int | None:
    """Return the seconds until the next try of what goes on by itself some day.

    They double with each receive. Jittered, so that a crowd spreads; None once it is too old.
    """
    if wait.age > KEEP_SECONDS:
        return None
    doubled = FIRST_SECONDS * 2 ** min(wait.receives - 1, 10)
    told = at_least + random.uniform(0, min(at_least / 4, SPREAD_SECONDS))
    seconds: float = max(_jittered(min(doubled, LAST_SECONDS)), told)
    return min(round(seconds) + 1, MAX_VISIBILITY_SECONDS)


def operator_patience(wait: Wait) -> int | None:
    """Return the seconds until the next try of what goes on when somebody has acted."""
    return None if wait.age > KEEP_SECONDS else round(_jittered(LAST_SECONDS))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1)


def _is_away(error: Exception) -> bool:
    """Say whether an AWS service was not reached, was busy, or failed by itself."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or bool(_BUSY.search(error.response["Error"]["Code"]))
    return isinstance(error, (HTTPClientError, NotReachedError))


def hand_back(judged: Sequence[tuple[SQSRecord, Exception, int | None]]) -> dict[str, str]:
    """Hide records for their seconds; those without any go to the dead-letter queue.

    Returns what went wrong, by message id: such a record comes back after the queue's own
    visibility timeout. Once SQS does not answer, the rest is left to that too: each further
    request could take seconds of a function that has few.
    """
    hidden = [(record, seconds) for record, _, seconds in judged if seconds is not None]
    dead = [(record, error) for record, error, seconds in judged if seconds is None]
    return _take_all(_hiding(hidden) + [(_put_aside, (one,)) for one in dead])


def hide(waits: Sequence[tuple[SQSRecord, int]]) -> dict[str, str]:
    """Hide records for their seconds, counted from now; returns what went wrong, as `hand_back`."""
    return _take_all(_hiding(waits))


def _hiding(waits: Sequence[tuple[SQSRecord, int]]) -> list[tuple[_Step, Sequence[Any]]]:
    return [(_hide, group) for group in batched(waits, ENTRIES, strict=False)]


def _take_all(steps: Sequence[tuple[_Step, Sequence[Any]]]) -> dict[str, str]:
    down: list[str] = []

    def take(step: tuple[_Step, Sequence[Any]]) -> dict[str, str]:
        do, group = step
        if not down:
            try:
                return do(group)
            except (BotoCoreError, ClientError) as trouble:
                down.append(str(trouble))
        return {record.message_id: down[0] for record, _ in group}

    if len(steps) <= 1:
        return take(steps[0]) if steps else {}
    with ThreadPoolExecutor(THREADS) as threads:
        return {mid: why for wrong in threads.map(take, steps) for mid, why in wrong.items()}


def _hide(group: Sequence[tuple[SQSRecord, int]]) -> dict[str, str]:
    (queue_url,) = settings.read("QUEUE_URL")
    entries = [
        {"Id": str(at), "ReceiptHandle": record.receipt_handle, "VisibilityTimeout": seconds}
        for at, (record, seconds) in enumerate(group)
    ]
    answer = settings.client("sqs").change_message_visibility_batch(
        QueueUrl=queue_url, Entries=entries
    )
    failed = {
        int(its["Id"]): str(its.get("Message", its["Code"])) for its in answer.get("Failed", ())
    }
    return {group[at][0].message_id: why for at, why in failed.items()}


def _put_aside(group: Sequence[tuple[SQSRecord, Exception]]) -> dict[str, str]:
    for record, error in group:
        dead_letter(record, error)
    return {}


def dead_letter(record: SQSRecord, error: Exception) -> None:
    """Put a record into the dead-letter queue with its reason; raises botocore's errors."""
    (queue_url,) = settings.read("DEAD_LETTERS_URL")
    reason = {"reason": str(error) or "no message", "error": type(error).__name__}
    if isinstance(error, CallError):
        reason |= {"method": error.method, "code": error.code or "none"}
    settings.client("sqs").send_message(
        QueueUrl=queue_url,
        MessageBody=record.body,
        MessageAttributes={name: _text(value) for name, value in reason.items()},
    )


def _text(value: str) -> dict[str, Any]:
    return {"DataType": "String", "StringValue": _UNSENDABLE.sub("\ufffd", value[:1000])}
