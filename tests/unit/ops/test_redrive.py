"""ops.redrive: a dead letter goes back where it came from, and is not lost on the way."""

import io
import itertools
import json

import pytest

from ops.redrive import redrive

RESOURCES = {
    "AnnounceDeadLetters": "announce-dead",
    "AnnounceFunction": "relay-announce",
    "JournalDeadLetters": "journal-dead",
    "JournalQueue": "journal",
    "OrphanDeadLetters": "orphan-dead",
}
RECORD = {"eventName": "MODIFY", "dynamodb": {"SequenceNumber": "7", "NewImage": {"é": 1}}}


class Aws:
    """Queues that hide what was received, and announce, which does what it is told."""

    def __init__(self):
        self.queues = {url: [] for url in RESOURCES.values()}
        self.hidden = {}
        self.numbers = itertools.count()
        self.answer, self.error, self.puts_back = {"batchItemFailures": []}, None, None
        self.asked = []

    def __call__(self, _service):
        """Return the client of any service."""
        return self

    def put(self, url, body, reason=None):
        """Put a dead letter into a queue."""
        attributes = {"reason": {"DataType": "String", "StringValue": reason}} if reason else {}
        self.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)

    def send_message(self, *, QueueUrl, MessageBody, MessageAttributes):  # noqa: N803
        """Take a message."""
        receipt = str(next(self.numbers))
        letter = {"Body": MessageBody, "ReceiptHandle": receipt}
        self.queues[QueueUrl].append(letter | {"MessageAttributes": MessageAttributes})

    def receive_message(self, *, QueueUrl, MaxNumberOfMessages, **_):  # noqa: N803
        """Hand out messages and hide them."""
        found = self.queues[QueueUrl][:MaxNumberOfMessages]
        del self.queues[QueueUrl][:MaxNumberOfMessages]
        self.hidden |= {letter["ReceiptHandle"]: letter for letter in found}
        return {"Messages": found} if found else {}

    def delete_message(self, *, QueueUrl, ReceiptHandle):  # noqa: N803
        """Forget a message."""
        assert QueueUrl
        del self.hidden[ReceiptHandle]

    def change_message_visibility(self, *, QueueUrl, ReceiptHandle, VisibilityTimeout):  # noqa: N803
        """Let a message be seen again."""
        assert VisibilityTimeout == 0
        self.queues[QueueUrl].append(self.hidden.pop(ReceiptHandle))

    def invoke(self, *, FunctionName, Payload):  # noqa: N803
        """Answer as announce."""
        assert FunctionName == "relay-announce"
        (record,) = json.loads(Payload)["Records"]
        self.asked.append(record)
        if self.puts_back:
            self.put("announce-dead", json.dumps(record, ensure_ascii=False), self.puts_back)
        failed = {"FunctionError": self.error} if self.error else {}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())} | failed

    def bodies(self, url):
        """Return what is in a queue for everybody to see."""
        return [letter["Body"] for letter in self.queues[url]]


@pytest.fixture
def aws():
    """Return queues with nothing in them."""
    return Aws()


def run(aws, *, go=True):
    """Return what the command says."""
    lines = []
    redrive(aws, RESOURCES, lines.append, go=go)
    assert not aws.hidden
    return lines


def test_what_is_there_is_shown_and_left(aws):
    """Without being told so, nothing moves."""
    for body in ("a", "b"):
        aws.put("journal-dead", body, "made up")
    aws.put("announce-dead", json.dumps(RECORD))
    assert run(aws, go=False) == [
        "AnnounceDeadLetters  1 x  no reason given: it was received too often",
        "JournalDeadLetters  2 x  made up",
        "3 dead letters; `make redrive GO=1` sends them back",
    ]
    assert not aws.asked
    assert aws.bodies("journal-dead") == ["a", "b"]
    assert len(aws.bodies("announce-dead")) == 1


def test_a_message_goes_back_into_its_queue_with_its_reason(aws):
    """A reaction knows by the reason that a person has decided."""
    aws.put("journal-dead", "a", "made up")
    assert run(aws) == ["JournalDeadLetters  1 x  made up", "1 sent back"]
    assert aws.queues["journal"][0]["MessageAttributes"]["reason"]["StringValue"] == "made up"
    assert aws.bodies("journal-dead") == []


def test_a_message_of_no_queue_stays(aws):
    """Where it came from can't be found: it is not lost."""
    aws.put("orphan-dead", "a")
    assert run(aws)[-2:] == [
        "OrphanDeadLetters  1 x  stays: there is no queue that it could have come from",
        "0 sent back, 1 stay",
    ]
    assert aws.bodies("orphan-dead") == ["a"]


def test_a_record_is_handed_to_announce(aws):
    """It came from a stream, into which nobody can put it back."""
    aws.put("announce-dead", json.dumps(RECORD), "KeyError('seq')")
    assert run(aws) == ["AnnounceDeadLetters  1 x  KeyError('seq')", "1 sent back"]
    assert aws.asked == [RECORD]
    assert aws.bodies("announce-dead") == []


def test_a_record_that_announce_does_not_understand_is_tried_once(aws):
    """Announce sets it aside again: that is told, and not tried for ever."""
    aws.puts_back = "KeyError('born')"
    for number in range(12):
        record = RECORD | {"eventID": str(number)}
        aws.put("announce-dead", json.dumps(record), "KeyError('seq')")
    assert run(aws) == [
        "AnnounceDeadLetters  12 x  KeyError('seq')",
        "AnnounceDeadLetters  12 x  stays: not understood again: KeyError('born')",
        "0 sent back, 12 stay",
    ]
    assert len(aws.asked) == 12
    assert len(aws.bodies("announce-dead")) == 12


def test_what_is_set_aside_meanwhile_is_not_taken_for_the_same(aws):
    """The stream goes on while letters are sent back."""
    aws.put("announce-dead", json.dumps(RECORD), "old")
    take = aws.invoke

    def invoke(**given):
        aws.put("announce-dead", "another", "new")
        return take(**given)

    aws.invoke = invoke
    assert run(aws)[-1] == "1 sent back"
    assert aws.bodies("announce-dead") == ["another"]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (
            {"batchItemFailures": [{"itemIdentifier": "7"}]},
            None,
            "announce can't take it now; `make logs` says why",
        ),
        (
            {"errorType": "KeyError", "errorMessage": "'dynamodb'"},
            "Unhandled",
            "announce failed: KeyError: 'dynamodb'",
        ),
    ],
)
def test_a_record_that_announce_does_not_take_stays(aws, answer, error, said):
    """It failed, or the topic or the ledger is away: the record is where it was."""
    aws.answer, aws.error = answer, error
    aws.put("announce-dead", json.dumps(RECORD), "old")
    assert run(aws)[1:] == [f"AnnounceDeadLetters  1 x  stays: {said}", "0 sent back, 1 stay"]
    assert aws.bodies("announce-dead") == [json.dumps(RECORD)]


def test_what_is_no_record_stays(aws):
    """Somebody's own message in that queue stops nothing."""
    aws.put("announce-dead", "no JSON")
    aws.put("announce-dead", json.dumps(RECORD))
    said = run(aws)
    assert "AnnounceDeadLetters  1 x  stays: it is no record" in said
    assert said[-1] == "1 sent back, 1 stay"
