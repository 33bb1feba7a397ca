"""When a record that was not handled comes back, and when it goes to the dead-letter queue.

POLICIES is the whole policy, by the class of the error. Only RETRY counts as a failure: waiting
uses up no attempt. A record that still waits MAX_AGE_SECONDS after it was sent is dead-lettered
with its reason: SQS deletes a message after 14 days, wherever it is by then. Waiting never reaches
a queue's `maxReceiveCount`; that number is there for records that kill their function each time
(tests/integration/test_outages.py computes both).
"""

import random
import re
from enum import Enum
from typing import NamedTuple

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotReachedError

from relay import errors

ATTEMPTS = 5
FIRST_RETRY_SECONDS = 30  # after a failure; twice as long after each further one
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 15, 900  # twice as long at each receive
MAX_AGE_SECONDS = 7 * 24 * 3600  # half of the 14 days: a person has the other half
SPREAD_SECONDS = 150  # at most, over which records are spread that have the same `retry_after`
# SQS's limit is 12 h from the receive; the longest batching window and run are over by now.
MAX_VISIBILITY_SECONDS = 12 * 3600 - 300 - 900


class Policy(Enum):
    """What becomes of a record."""

    NEXT_BATCH = "comes back after 1 s: nothing was tried"
    WAIT = "comes back after 15 s, then twice as long up to 15 min, or after `retry_after`"
    WAIT_FOR_OPERATOR = "comes back after about 15 min each time"
    RETRY = "comes back after 30 s, then twice as long; the fifth failure is dead-lettered"
    DEAD_LETTER = "goes to the dead-letter queue at once, with its reason"


# AWS errors are not in it: a service that is away or busy means WAIT, and so does any AWS error of
# a step that may be repeated. Everything else means RETRY.
POLICIES: dict[type[Exception], Policy] = {
    errors.NextBatchError: Policy.NEXT_BATCH,
    errors.TransientError: Policy.WAIT,
    errors.StateError: Policy.WAIT,
    errors.ConditionFailedError: Policy.WAIT,
    errors.NoTokensError: Policy.WAIT,
    errors.LoopError: Policy.WAIT,
    errors.ItemChangedError: Policy.WAIT,
    errors.OperatorError: Policy.WAIT_FOR_OPERATOR,
    errors.ConfigurationError: Policy.WAIT_FOR_OPERATOR,
    errors.HeldError: Policy.WAIT_FOR_OPERATOR,
    errors.NewerFormatError: Policy.WAIT_FOR_OPERATOR,
    errors.HungError: Policy.RETRY,
    errors.StoppedError: Policy.RETRY,
    errors.PermanentError: Policy.DEAD_LETTER,
    errors.MayHaveRunError: Policy.DEAD_LETTER,
    errors.DivergedError: Policy.DEAD_LETTER,
    errors.RowError: Policy.DEAD_LETTER,
    errors.NotOursError: Policy.DEAD_LETTER,
    errors.RefusedError: Policy.DEAD_LETTER,
    errors.RejectedRequestError: Policy.DEAD_LETTER,
}
_REPEATABLE = (BotoCoreError, ClientError, errors.MayHaveRunError)
_BUSY = re.compile("throttl|toomanyrequests|throughput|slowdown|limitexceeded", re.IGNORECASE)
_SERVER_ERROR = 500


class Delivery(NamedTuple):
    """How often SQS has delivered a record, and the seconds since it was sent."""

    receives: int = 1
    age_seconds: float = 0.0

    @classmethod
    def of(cls, record: SQSRecord, now: float) -> "Delivery":
        """Return the delivery of a record at a time (epoch seconds)."""
        attributes = record.raw_event.get("attributes", {})
        sent = float(attributes.get("SentTimestamp", now * 1000)) / 1000
        return cls(int(attributes.get("ApproximateReceiveCount", 1)), max(now - sent, 0.0))


def policy_of(error: Exception, *, repeatable: bool = False) -> Policy:
    """Return an error's policy; `repeatable` says that the step may run twice without harm."""
    if repeatable and isinstance(error, _REPEATABLE):
        return Policy.WAIT
    for kind in type(error).__mro__:
        if kind in POLICIES:
            return POLICIES[kind]
    return Policy.WAIT if _is_away(error) else Policy.RETRY


def seconds_until_retry(
    error: Exception, delivery: Delivery, failures: int = 1, *, repeatable: bool = False
) -> int | None:
    """Return the seconds until the try after so many failures; None for a dead letter."""
    policy = policy_of(error, repeatable=repeatable)
    if policy is Policy.RETRY:
        seconds = FIRST_RETRY_SECONDS * 2 ** (failures - 1) * random.uniform(1, 1.25)
        return round(seconds) if failures < ATTEMPTS else None
    if policy is Policy.NEXT_BATCH:
        return 1
    if policy is Policy.DEAD_LETTER or delivery.age_seconds > MAX_AGE_SECONDS:
        return None
    if policy is Policy.WAIT_FOR_OPERATOR:
        return round(_jittered(LONGEST_WAIT_SECONDS))
    at_least = getattr(error, "retry_after", None) or 0.0
    asked = at_least + random.uniform(0, min(at_least / 4, SPREAD_SECONDS))
    doubled = FIRST_WAIT_SECONDS * 2 ** min(delivery.receives - 1, 10)
    seconds = max(_jittered(min(doubled, LONGEST_WAIT_SECONDS)), asked)
    return min(round(seconds) + 1, MAX_VISIBILITY_SECONDS)


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1)


def _is_away(error: Exception) -> bool:
    """Return whether an AWS service was not reached, was busy, or failed by itself."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or bool(_BUSY.search(error.response["Error"]["Code"]))
    return isinstance(error, (HTTPClientError, NotReachedError))
