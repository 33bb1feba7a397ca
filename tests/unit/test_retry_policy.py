"""relay.retry_policy: the class of an error decides what becomes of a record."""

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from relay.errors import (
    ConfigurationError,
    DivergedError,
    HeldError,
    HungError,
    InvalidTokenError,
    LoopError,
    MayHaveRunError,
    NewerFormatError,
    NextBatchError,
    NoTokensError,
    NotOursError,
    OperatorError,
    PermanentError,
    RefusedError,
    RowError,
    StaleTokensError,
    StateError,
    TransientError,
)
from relay.retry_policy import (
    ATTEMPTS,
    MAX_AGE_SECONDS,
    MAX_VISIBILITY_SECONDS,
    Delivery,
    Policy,
    policy_of,
    seconds_until_retry,
)


def aws_error(code, status=400):
    """Return an AWS service's error."""
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Query")


AWAY = [
    EndpointConnectionError(endpoint_url="https://sqs"),
    aws_error("ThrottlingException"),
    aws_error("ProvisionedThroughputExceededException"),
    aws_error("InternalServerError", 500),
]


@pytest.mark.parametrize(
    ("error", "receives", "low", "high"),
    [
        (TransientError("m", "QUERY_LIMIT_EXCEEDED"), 1, 12, 16),
        (TransientError("m", "NOT_CONNECTED", retry_after=15), 4, 96, 121),
        (TransientError("m", "NOT_CONNECTED", retry_after=15), 7, 720, 901),
        (TransientError("m", "NO_SLOT", retry_after=0), 900, 720, 901),
        (TransientError("m", "OPERATION_TIME_LIMIT", retry_after=600), 1, 600, 751),
        (TransientError("m", "X", retry_after=3600), 1, 3600, 3751),
        (TransientError("m", "X", retry_after=10**6), 1, 42_000, 42_000),
        (StateError("x"), 1, 12, 16),
        (StateError("x"), 900, 720, 901),
        (StaleTokensError("x"), 2, 24, 31),
        (NoTokensError("x"), 900, 720, 901),
        (OperatorError("m", "insufficient_scope"), 1, 720, 900),
        (ConfigurationError("x"), 900, 720, 900),
        (HeldError("x"), 1, 720, 900),
        (NewerFormatError("x"), 900, 720, 900),
        (LoopError("x", 1200.0), 1, 1201, 1351),
        (NextBatchError("x"), 900, 1, 1),
        *((error, 900, 720, 901) for error in AWAY),
    ],
)
def test_what_waits_comes_back_however_often_it_was_received(error, receives, low, high):
    """A wait doubles from 15 s to 15 min, is at least `retry_after`, and is no failure."""
    waits = {seconds_until_retry(error, Delivery(receives), ATTEMPTS + 1) for _ in range(300)}
    assert low <= min(waits)
    assert max(waits) <= high
    assert len(waits) > 1 or low == high
    assert policy_of(error) is not Policy.RETRY


@pytest.mark.parametrize(
    ("error", "failures", "low", "high"),
    [
        (HungError("x"), 1, 30, 38),
        (ZeroDivisionError(), 1, 30, 38),
        (ZeroDivisionError(), ATTEMPTS - 1, 240, 300),
        (aws_error("ValidationException"), 2, 60, 75),
        (ParamValidationError(report="x"), 2, 60, 75),
    ],
)
def test_a_failure_is_tried_again_later_each_time(error, failures, low, high):
    """The wait after a bug depends on the number of failures, not on receives or age."""
    waits = {
        seconds_until_retry(error, Delivery(900, MAX_AGE_SECONDS + 1), failures) for _ in range(300)
    }
    assert low <= min(waits)
    assert max(waits) <= high
    assert policy_of(error) is Policy.RETRY


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        (PermanentError("m", "NOT_FOUND"), 1),
        (MayHaveRunError("m", "timeout"), 1),
        (NotOursError("x"), 1),
        (DivergedError("x"), 1),
        (RowError("x"), 1),
        (RefusedError("x"), 1),
        (InvalidTokenError("x"), 1),
        (TimeoutError(), ATTEMPTS),
        (ZeroDivisionError(), ATTEMPTS),
    ],
)
def test_what_can_never_work_does_not_come_back(error, failures):
    """Final errors, and the fifth failure, are dead-lettered."""
    assert seconds_until_retry(error, Delivery(), failures) is None


@pytest.mark.parametrize(
    "error",
    [
        TransientError("m", "X"),
        StateError("x"),
        OperatorError("m", "x"),
        ConfigurationError("x"),
        HeldError("x"),
        LoopError("x", 9.0),
        AWAY[0],
    ],
)
def test_what_has_waited_for_a_week_is_dead_lettered_with_its_reason(error):
    """A record that waits is dead-lettered after 7 days: SQS deletes messages after 14."""
    assert seconds_until_retry(error, Delivery(700, MAX_AGE_SECONDS)) is not None
    assert seconds_until_retry(error, Delivery(1, MAX_AGE_SECONDS + 1)) is None


def record(number, **attributes):
    """Return a record."""
    return SQSRecord(
        {"messageId": f"m{number}", "receiptHandle": f"r{number}", "body": f"b{number}"}
        | {"attributes": attributes}
    )


def test_a_record_says_how_often_and_since_when_it_waits():
    """A delivery has SQS's receive count and age; without them the record is new."""
    received = record(1, ApproximateReceiveCount="7", SentTimestamp="1000000")
    assert Delivery.of(received, 1500.0) == Delivery(7, 500.0)
    assert Delivery.of(received, 900.0) == Delivery(7, 0.0)
    assert Delivery.of(record(1), 1500.0) == Delivery(1, 0.0)


@pytest.mark.parametrize("error", [*AWAY, aws_error("AccessDenied"), MayHaveRunError("m", "x")])
def test_a_step_that_may_be_repeated_waits_for_aws_and_for_lost_answers(error):
    """A step without effects outside of the relay is repeated after any AWS error, as a wait."""
    assert 12 <= seconds_until_retry(error, Delivery(), ATTEMPTS, repeatable=True) <= 16
    assert seconds_until_retry(ZeroDivisionError(), Delivery(), ATTEMPTS, repeatable=True) is None
    assert seconds_until_retry(RowError("x"), Delivery(), repeatable=True) is None


def test_the_longest_wait_ends_before_sqs_says_no():
    """The longest wait, batching window and run are within the 12 h that SQS allows a receive."""
    window, run = 300, 900  # the longest that Lambda allows
    assert MAX_VISIBILITY_SECONDS + window + run <= 12 * 3600
