"""relay.queue: records are hidden or dead-lettered, ten a request, whatever SQS answers."""

import json
import time

import pytest
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import EndpointConnectionError

from relay import crowd
from relay.errors import LoopError, NotOursError, OperatorError, PermanentError, StateError
from relay.queue import Unhandled, dead_letter, hand_back, retry_later

LOGGER = Logger(service="queue")


def logged(capsys):
    """Return the log lines and metrics."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def record(number):
    """Return a record."""
    return SQSRecord(
        {"messageId": f"m{number}", "receiptHandle": f"r{number}", "body": f"b{number}"}
        | {"attributes": {}}
    )


class Sqs:
    """An SQS that notes requests and may fail some."""

    def __init__(self):
        self.groups, self.letters, self.refused, self.down = [], [], set(), None
        self.in_flight = 0

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        """Say how many records are in flight."""
        assert QueueUrl == "queue"
        return {"Attributes": {name: str(self.in_flight) for name in AttributeNames}}

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Take up to ten changes."""
        assert QueueUrl == "queue"
        self.groups.append({one["ReceiptHandle"]: one["VisibilityTimeout"] for one in Entries})
        if self.down:
            raise self.down
        failed = [one["Id"] for one in Entries if one["ReceiptHandle"] in self.refused]
        return {"Failed": [{"Id": name, "Code": "ReceiptHandleIsInvalid"} for name in failed]}

    def send_message(self, **message):
        """Take a dead letter."""
        if self.down:
            raise self.down
        self.letters.append(message)


@pytest.fixture
def queue(monkeypatch, aws_clients):
    """Return an SQS."""
    aws_clients["sqs"] = fake = Sqs()
    monkeypatch.setenv("QUEUE_URL", "queue")
    monkeypatch.setenv("DEAD_LETTERS_URL", "dead")
    return fake


def test_a_thousand_records_are_handed_back_ten_a_request(queue, capsys):
    """Each record gets a wait of its own; SQS's refusal of one harms no other of its request."""
    queue.refused = {"r17"}
    unhandled = [Unhandled(record(number), StateError("x")) for number in range(995)]
    unhandled += [Unhandled(record(n), PermanentError("m", "X")) for n in (995, 996)]
    assert hand_back(unhandled, LOGGER) == [f"m{number}" for number in range(995)]
    assert len(queue.groups) == 100
    hidden = {name: seconds for group in queue.groups for name, seconds in group.items()}
    assert hidden.keys() == {f"r{number}" for number in range(995)}
    assert len(set(hidden.values())) > 1
    lines = [one for one in logged(capsys) if "message_id" in one]
    waits = {f"r{one['message_id'][1:]}": one["seconds"] for one in lines if "seconds" in one}
    assert waits == hidden
    troubles = {one["message_id"]: one["trouble"] for one in lines if "trouble" in one}
    assert troubles == {"m17": "ReceiptHandleIsInvalid"}
    assert sorted(letter["MessageBody"] for letter in queue.letters) == ["b995", "b996"]


def test_records_are_hidden_for_the_seconds_that_they_are_given(queue):
    """`retry_later` hides each record for a time of its own and names those that SQS refused."""
    queue.refused = {"r2"}
    assert retry_later([(record(1), 7), (record(2), 9)]) == {"m2": "ReceiptHandleIsInvalid"}
    assert queue.groups == [{"r1": 7, "r2": 9}]


def test_an_sqs_that_does_not_answer_is_asked_a_few_times_only(queue, capsys):
    """While SQS is down no record is dead-lettered, and the function's time is not used up."""
    queue.down = EndpointConnectionError(endpoint_url="https://sqs")
    unhandled = [Unhandled(record(number), StateError("x")) for number in range(200)]
    assert len(hand_back(unhandled, LOGGER)) == 200
    assert capsys.readouterr().out.count('"trouble":"Could not connect') == 200
    assert len(queue.groups) <= 8
    assert hand_back([Unhandled(record(1), NotOursError("x"))], LOGGER) == ["m1"]
    assert hand_back([], LOGGER) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OperatorError("m", "c", "a \0 and \ud800"), "m: c: a \ufffd and \ufffd"),
        (KeyError("x"), "KeyError: 'x'"),
        (StateError(), "no message"),
        (StateError("x" * 2000), "x" * 1000),
    ],
)
def test_a_dead_letter_has_a_reason_that_sqs_takes(queue, error, reason):
    """The reason names a foreign error's class and has no character that SQS refuses."""
    dead_letter("body", error)
    (letter,) = queue.letters
    texts = {name: one["StringValue"] for name, one in letter["MessageAttributes"].items()}
    assert (letter["QueueUrl"], letter["MessageBody"], texts["reason"]) == ("dead", "body", reason)
    assert texts["error"] == type(error).__name__
    assert texts.get("code") == getattr(error, "code", None)


@pytest.mark.usefixtures("queue")
def test_the_oldest_record_that_comes_back_is_counted_with_its_cause(capsys):
    """One metric for all functions: SQS's own age leaves out what was received three times."""
    old = SQSRecord(record(1).raw_event | {"attributes": {"SentTimestamp": "1000"}})
    unhandled = [
        Unhandled(old, PermanentError("m", "X")),  # given up: it waits for nothing
        Unhandled(_sent(record(2), 4000), OperatorError("m", "expired_token")),
        Unhandled(_sent(record(3), 10), LoopError("budget", retry_after=60)),
    ]
    hand_back(unhandled, LOGGER)
    (metrics,) = [one for one in logged(capsys) if "_aws" in one]
    assert metrics["service"] == "relay"
    assert 4000 <= metrics["oldest"][0] < 4100
    assert (metrics["blocked"], metrics["loops"]) == ([1.0], [1.0])


def test_a_crowded_queue_gets_its_records_back_after_a_pause(queue, sleeps, capsys):
    """They are not hidden for long; a record that waits shortly or is given up is left alone."""
    queue.in_flight = crowd.CROWDED + 1
    blocked = [Unhandled(record(number), OperatorError("m", "X")) for number in range(20)]
    others = [
        Unhandled(record(20), StateError("x")),
        Unhandled(record(21), PermanentError("m", "X")),
    ]
    assert len(hand_back(blocked + others, LOGGER, remaining_seconds=3)) == 21
    assert sleeps == [3]
    hidden = {name: seconds for group in queue.groups for name, seconds in group.items()}
    assert all(seconds <= 30 for seconds in hidden.values())
    assert len(queue.letters) == 1
    assert logged(capsys)[0]["message"] == "crowded"
    hand_back(blocked, LOGGER)
    assert len(sleeps) == 1  # a function without time to give has no pause


@pytest.mark.usefixtures("queue")
def test_nothing_is_counted_where_nothing_comes_back(capsys):
    """A metric costs by the hour in which it is there."""
    hand_back([Unhandled(record(1), PermanentError("m", "X"))], LOGGER)
    assert [one["message"] for one in logged(capsys)] == ["dead-lettered"]


def _sent(one, seconds):
    """Return a record that was sent so long ago."""
    sent = str(int((time.time() - seconds) * 1000))
    return SQSRecord(one.raw_event | {"attributes": {"SentTimestamp": sent}})


@pytest.mark.usefixtures("queue")
def test_the_line_of_the_reaction_is_logged_with_any_error(capsys):
    """An error of the portal is logged without a traceback, and with the reaction's line."""
    path = "/var/task/relay/reactions/mine.py"
    code = compile("def helper(act):\n    act()\n\ndef mine(act):\n    helper(act)\n", path, "exec")
    namespace = {}
    exec(code, namespace)  # noqa: S102  a reaction whose file's name is known

    def refuse():
        raise PermanentError("crm.deal.ad", "ERROR_METHOD_NOT_FOUND")

    with pytest.raises(PermanentError) as raised:
        namespace["mine"](refuse)
    hand_back([Unhandled(record(1), raised.value), Unhandled(record(2), StateError("x"))], LOGGER)
    lines = {one["message_id"]: one for one in logged(capsys) if "message_id" in one}
    assert lines["m1"]["at"] == "relay/reactions/mine.py:2"
    assert "exception" not in lines["m1"]
    assert "at" not in lines["m2"]
