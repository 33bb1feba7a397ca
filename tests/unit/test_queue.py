"""relay.queue: the class of an error decides what becomes of a record."""

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from relay import settings
from relay.errors import (
    ConfigurationError,
    DivergedError,
    HungError,
    LoopError,
    MayHaveRunError,
    NextBatchError,
    NotOursError,
    OperatorError,
    PermanentError,
    RowError,
    StateError,
    TransientError,
)
from relay.queue import (
    ATTEMPTS,
    KEEP_SECONDS,
    MAX_VISIBILITY_SECONDS,
    Wait,
    hand_back,
    is_failure,
    seconds_until_retry,
)


def aws_error(code, status=400):
    """Return an AWS service's error."""
    said = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "Query")


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
        (OperatorError("m", "insufficient_scope"), 1, 720, 900),
        (ConfigurationError("x"), 900, 720, 900),
        (LoopError("x", 1200.0), 1, 1201, 1351),
        (NextBatchError("x"), 900, 1, 1),
        *((error, 900, 720, 901) for error in AWAY),
    ],
)
def test_what_waits_comes_back_however_often_it_was_received(error, receives, low, high):
    """Waits double from 15 s to 15 min, last longer where told so, and are no failure."""
    waits = {seconds_until_retry(error, Wait(receives), ATTEMPTS + 1) for _ in range(300)}
    assert low <= min(waits)
    assert max(waits) <= high
    assert len(waits) > 1 or low == high
    assert not is_failure(error)


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
    """A bug's waits depend on the failures alone, not on how often its record was received."""
    waits = {seconds_until_retry(error, Wait(900, KEEP_SECONDS + 1), failures) for _ in range(300)}
    assert low <= min(waits)
    assert max(waits) <= high
    assert is_failure(error)


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        (PermanentError("m", "NOT_FOUND"), 1),
        (MayHaveRunError("m", "timeout"), 1),
        (NotOursError("x"), 1),
        (DivergedError("x"), 1),
        (RowError("x"), 1),
        (TimeoutError(), ATTEMPTS),
        (ZeroDivisionError(), ATTEMPTS),
    ],
)
def test_what_can_never_work_does_not_come_back(error, failures):
    """The request that can't work, the one that may have run, the record of somebody else."""
    assert seconds_until_retry(error, Wait(), failures) is None


@pytest.mark.parametrize(
    "error",
    [
        TransientError("m", "X"),
        StateError("x"),
        OperatorError("m", "x"),
        ConfigurationError("x"),
        LoopError("x", 9.0),
        AWAY[0],
    ],
)
def test_what_has_waited_for_a_week_is_dead_lettered_with_its_reason(error):
    """A message lives for 14 days: after seven of them a person gets it while there is time."""
    assert seconds_until_retry(error, Wait(700, KEEP_SECONDS)) is not None
    assert seconds_until_retry(error, Wait(1, KEEP_SECONDS + 1)) is None


def record(number, **attributes):
    """Return a record."""
    return SQSRecord(
        {"messageId": f"m{number}", "receiptHandle": f"r{number}", "body": f"b{number}"}
        | {"attributes": attributes}
    )


def test_a_record_says_how_often_and_since_when_it_waits():
    """A record without the attributes is new."""
    told = record(1, ApproximateReceiveCount="7", SentTimestamp="1000000")
    assert Wait.of(told, 1500.0) == Wait(7, 500.0)
    assert Wait.of(told, 900.0) == Wait(7, 0.0)
    assert Wait.of(record(1), 1500.0) == Wait(1, 0.0)


class Sqs:
    """An SQS that notes requests and may fail some."""

    def __init__(self):
        self.groups, self.letters, self.refused, self.down = [], [], set(), None

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Take up to ten changes."""
        assert QueueUrl == "queue"
        self.groups.append({its["ReceiptHandle"]: its["VisibilityTimeout"] for its in Entries})
        if self.down:
            raise self.down
        failed = [its["Id"] for its in Entries if its["ReceiptHandle"] in self.refused]
        return {"Failed": [{"Id": name, "Code": "ReceiptHandleIsInvalid"} for name in failed]}

    def send_message(self, **message):
        """Take a dead letter."""
        if self.down:
            raise self.down
        self.letters.append(message)


@pytest.fixture
def queue(monkeypatch):
    """Return an SQS."""
    fake = Sqs()
    monkeypatch.setattr(settings, "client", lambda _: fake)
    monkeypatch.setenv("QUEUE_URL", "queue")
    monkeypatch.setenv("DEAD_LETTERS_URL", "dead")
    return fake


def test_a_thousand_records_are_handed_back_ten_a_request(queue):
    """Each gets its own time; one that SQS refuses is named and harms no other of its request."""
    queue.refused = {"r17"}
    judged = [(record(number), StateError("x"), number) for number in range(995)]
    judged += [(record(number), PermanentError("m", "X"), None) for number in (995, 996)]
    assert hand_back(judged) == {"m17": "ReceiptHandleIsInvalid"}
    assert len(queue.groups) == 100
    assert {name: at for group in queue.groups for name, at in group.items()} == {
        f"r{number}": number for number in range(995)
    }
    assert sorted(its["MessageBody"] for its in queue.letters) == ["b995", "b996"]


def test_an_sqs_that_does_not_answer_is_asked_a_few_times_only(queue):
    """What SQS was not told is named: it comes back after the queue's visibility timeout."""
    queue.down = EndpointConnectionError(endpoint_url="https://sqs")
    judged = [(record(number), StateError("x"), 9) for number in range(1000)]
    assert hand_back(judged).keys() == {f"m{number}" for number in range(1000)}
    assert len(queue.groups) <= 8
    assert hand_back([(record(1), NotOursError("x"), None)]).keys() == {"m1"}
    assert hand_back([]) == {}


def test_the_longest_wait_ends_before_sqs_says_no():
    """SQS counts twelve hours from the receive: batching window and run have passed by then."""
    window, run = 300, 900  # the longest that Lambda allows
    assert MAX_VISIBILITY_SECONDS + window + run <= 12 * 3600
