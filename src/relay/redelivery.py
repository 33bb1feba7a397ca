"""What happens to a record whose reaction raised: it comes back, or it is dead-lettered.

TransientError, time ran out        comes back when it makes sense
OperatorError, ConfigurationError   comes back until somebody has acted
PermanentError, MayHaveRunError,
not a record of ours                the dead-letter queue at once, with the reason
anything else                       comes back, at most ATTEMPTS times, then the dead-letter queue
"""

import random
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from relay import settings
from relay.errors import (
    ConfigurationError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    PortalError,
    TransientError,
)

ATTEMPTS = 5
SOON_SECONDS = 30
OPERATOR_SECONDS = 900
MAX_VISIBILITY_SECONDS = 43_200  # SQS's limit


class NotOursError(ValueError):
    """When a record is not what this relay publishes."""


def seconds_until_retry(error: Exception, receives: int) -> int | None:
    """Return when a record makes sense again; None if never. Jittered, so that a crowd spreads."""
    if isinstance(error, (PermanentError, MayHaveRunError, NotOursError)):
        return None
    if isinstance(error, TransientError):
        seconds = error.retry_after if error.retry_after is not None else SOON_SECONDS
    elif isinstance(error, (OperatorError, ConfigurationError)):
        seconds = OPERATOR_SECONDS
    elif isinstance(error, TimeoutError):
        seconds = SOON_SECONDS
    elif receives < ATTEMPTS:
        seconds = SOON_SECONDS * 2 ** (receives - 1)
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
    return {"DataType": "String", "StringValue": value[:1000]}
