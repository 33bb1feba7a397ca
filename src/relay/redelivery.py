"""What happens to a record whose reaction raised: it comes back, or it is dead-lettered.

TransientError                      comes back when it makes sense
OperatorError, ConfigurationError   comes back until somebody has acted
StateError                          comes back when AWS may answer again
PermanentError, MayHaveRunError,
DivergedError, LoopError,
not a record of ours                the dead-letter queue at once, with the reason
anything else, HungError among it   comes back, at most ATTEMPTS times, then the dead-letter queue

Only the last counts as a failure: waiting, however long, uses up no attempt.
"""

import random
import re
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from relay import settings
from relay.errors import (
    ConfigurationError,
    DivergedError,
    LoopError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    PortalError,
    StateError,
    TransientError,
)

ATTEMPTS = 5
SOON_SECONDS = 30
OPERATOR_SECONDS = 900
STATE_SECONDS = 60
MAX_VISIBILITY_SECONDS = 43_200  # SQS's limit


class NotOursError(ValueError):
    """When a record is not what this relay publishes."""


# SQS refuses a message with one of these in it.
_UNSENDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NEVER = (PermanentError, MayHaveRunError, DivergedError, LoopError, NotOursError)
_WAITS = (TransientError, OperatorError, ConfigurationError, StateError)


def is_failure(error: Exception) -> bool:
    """Say whether an error is the reaction's own: only those are counted."""
    return not isinstance(error, (*_NEVER, *_WAITS))


def seconds_until_retry(error: Exception, failures: int) -> int | None:
    """Return when a record makes sense again; None if never. Jittered, so that a crowd spreads.

    `failures` counts how often its reaction has failed, this time too.
    """
    if isinstance(error, _NEVER):
        return None
    if isinstance(error, TransientError):
        seconds = error.retry_after if error.retry_after is not None else SOON_SECONDS
    elif isinstance(error, (OperatorError, ConfigurationError)):
        seconds = OPERATOR_SECONDS
    elif isinstance(error, StateError):
        seconds = STATE_SECONDS
    elif failures < ATTEMPTS:
        seconds = SOON_SECONDS * 2 ** (failures - 1)
    else:
        return None
    return min(round(seconds * random.uniform(1, 1.25)) + 1, MAX_VISIBILITY_SECONDS)


def come_back(record: SQSRecord, seconds: int) -> None:
    """Make a record visible again after this many seconds; raises botocore's errors."""
    (queue_url,) = settings.read("QUEUE_URL")
    settings.client("sqs").change_message_visibility(
        QueueUrl=queue_url, ReceiptHandle=record.receipt_handle, VisibilityTimeout=seconds
    )


def dead_letter(record: SQSRecord, error: Exception) -> None:
    """Put a record into the dead-letter queue with its reason; raises botocore's errors."""
    (queue_url,) = settings.read("DEAD_LETTERS_URL")
    reason = {"reason": str(error) or "no message", "error": type(error).__name__}
    if isinstance(error, PortalError):
        reason |= {"method": error.method, "code": error.code or "none"}
    settings.client("sqs").send_message(
        QueueUrl=queue_url,
        MessageBody=record.body,
        MessageAttributes={name: _text(value) for name, value in reason.items()},
    )


def _text(value: str) -> dict[str, Any]:
    return {"DataType": "String", "StringValue": _UNSENDABLE.sub("\ufffd", value[:1000])}
