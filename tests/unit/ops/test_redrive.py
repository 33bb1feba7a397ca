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
REQUEST_SECONDS = 0.2
MANY = 6_500  # their receives alone take longer than a minute
RECORD = {"eventName": "MODIFY", "dynamodb": {"SequenceNumber": "7", "NewImage": {"é": 1}}}


class Aws:
    """Queues that hide received messages, and an announce with a set answer.

    A short poll finds nothing, each request takes time, and numbers may be estimates.
    """

    def __init__(self):
        self.queues = {url: {} for url in RESOURCES.values()}
        self.now, self.requests, self.ends_after = 0.0, 0, None
        self.numbers = itertools.count()
        self.answer, self.error, self.puts_back = {"batchItemFailures": []}, None, None
        self.asked, self.sent, self.refused, self.estimate = [], [], set(), None
        self.receives = 0

    def __call__(self, _service):
        """Return the client of any service."""
        return self

    def put(self, url, body, reason=None):
        """Put a dead letter with its reason into a queue."""
        attributes = {"reason": {"DataType": "String", "StringValue": reason}} if reason else {}
        letter = {"MessageId": str(next(self.numbers)), "Body": body}
        letter |= {"MessageAttributes": attributes} if attributes else {}
        self.queues[url][letter["MessageId"]] = [letter, 0.0]

    def _work(self):
        self.now += REQUEST_SECONDS
        self.requests += 1
        if self.requests == self.ends_after:
            raise KeyboardInterrupt

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Take messages, except for the refused ones."""
        self._work()
        assert sum(len(entry["MessageBody"]) for entry in Entries) <= 1024 * 1024
        failed = [entry for entry in Entries if entry["MessageBody"] in self.refused]
        for entry in (entry for entry in Entries if entry not in failed):
            reason = entry["MessageAttributes"].get("reason", {}).get("StringValue")
            self.put(QueueUrl, entry["MessageBody"], reason)
            self.sent.append(entry["MessageBody"])
        return {"Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in failed]}

    def receive_message(
        self,
        *,
        QueueUrl,  # noqa: N803
        MaxNumberOfMessages=1,  # noqa: N803
        VisibilityTimeout=30,  # noqa: N803
        WaitTimeSeconds=0,  # noqa: N803
        **_,
    ):
        """Return visible messages and hide them."""
        self._work()
        self.receives += 1
        if not WaitTimeSeconds:
            return {}
        queue = self.queues[QueueUrl]
        found = (its for its, (_, hidden) in queue.items() if hidden <= self.now)
        letters = []
        for its in list(itertools.islice(found, MaxNumberOfMessages)):
            letter, _ = queue.pop(its)
            queue[its] = [letter, self.now + VisibilityTimeout]  # behind all others
            letters.append(letter | {"ReceiptHandle": its})
        return {"Messages": letters} if letters else {}

    def delete_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Delete messages."""
        self._work()
        for entry in Entries:
            self.queues[QueueUrl].pop(entry["ReceiptHandle"], None)

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Change how long messages are hidden."""
        self._work()
        for entry in Entries:
            self.queues[QueueUrl][entry["ReceiptHandle"]][1] = self.now + entry["VisibilityTimeout"]

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        """Return the number of messages, or the set estimate."""
        number = len(self.queues[QueueUrl]) if self.estimate is None else self.estimate
        return {"Attributes": dict.fromkeys(AttributeNames, "0") | {AttributeNames[0]: str(number)}}

    def invoke(self, *, FunctionName, Payload):  # noqa: N803
        """Answer as announce."""
        self._work()
        assert FunctionName == "relay-announce"
        (record,) = json.loads(Payload)["Records"]
        self.asked.append(record)
        if self.puts_back:
            self.put("announce-dead", json.dumps(record, ensure_ascii=False), self.puts_back)
        failed = {"FunctionError": self.error} if self.error else {}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())} | failed

    def bodies(self, url):
        """Return the bodies of a queue's visible messages."""
        return [one["Body"] for one, hidden in self.queues[url].values() if hidden <= self.now]


@pytest.fixture
def aws():
    """Return empty queues."""
    return Aws()


def run(aws, *, go=True):
    """Return the printed lines; no letter stays hidden."""
    lines = []
    redrive(aws, RESOURCES, lines.append, go=go)
    for url, letters in aws.queues.items():
        assert len(aws.bodies(url)) == len(letters)
    return lines


def test_what_is_there_is_shown_and_left(aws):
    """Without GO=1 letters are counted by reason, and stay."""
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
    """A letter is sent with its reason, by which a reaction knows that an operator has decided."""
    aws.put("journal-dead", "a", "made up")
    assert run(aws) == ["JournalDeadLetters  1 x  made up", "1 sent back"]
    ((letter, _),) = aws.queues["journal"].values()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "made up"
    assert aws.bodies("journal-dead") == []


def test_a_message_of_no_queue_stays(aws):
    """A letter of a queue that does not exist stays."""
    aws.put("orphan-dead", "a")
    assert run(aws)[-2:] == [
        "OrphanDeadLetters  1 x  stays: there is no queue of that name to send it to",
        "0 sent back, 1 stay",
    ]
    assert aws.bodies("orphan-dead") == ["a"]


def test_a_record_is_handed_to_announce(aws):
    """A letter of the stream is passed to announce itself."""
    aws.put("announce-dead", json.dumps(RECORD), "KeyError('seq')")
    assert run(aws) == ["AnnounceDeadLetters  1 x  KeyError('seq')", "1 sent back"]
    assert aws.asked == [RECORD]
    assert aws.bodies("announce-dead") == []


def test_a_record_that_announce_does_not_understand_is_tried_once(aws):
    """A record that is dead-lettered again is counted with its new reason and not tried again."""
    aws.puts_back = "KeyError('born')"
    for number in range(12):
        record = RECORD | {"eventID": str(number)}
        aws.put("announce-dead", json.dumps(record), "KeyError('seq')")
    assert run(aws) == [
        "AnnounceDeadLetters  12 x  KeyError('seq')",
        "AnnounceDeadLetters  12 x  stays: dead again: KeyError('born')",
        "12 sent back, 12 stay",
    ]
    assert len(aws.asked) == 12
    assert len(aws.bodies("announce-dead")) == 12


def test_what_is_set_aside_meanwhile_is_not_taken_for_the_same(aws):
    """A letter that comes while letters are sent back stays."""
    aws.put("announce-dead", json.dumps(RECORD), "old")
    take = aws.invoke

    def invoke(**given):
        aws.put("announce-dead", "another", "new")
        return take(**given)

    aws.invoke = invoke
    assert run(aws)[1:] == [
        "AnnounceDeadLetters  1 x  stays: it came meanwhile",
        "1 sent back, 1 stay",
    ]
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
    """A record that announce hands back or fails on stays."""
    aws.answer, aws.error = answer, error
    aws.put("announce-dead", json.dumps(RECORD), "old")
    assert run(aws)[1:] == [f"AnnounceDeadLetters  1 x  stays: {said}", "0 sent back, 1 stay"]
    assert aws.bodies("announce-dead") == [json.dumps(RECORD)]


def test_what_is_no_record_stays(aws):
    """A message that is no record stays, and the others are sent back."""
    aws.put("announce-dead", "no JSON")
    aws.put("announce-dead", json.dumps(RECORD))
    said = run(aws)
    assert "AnnounceDeadLetters  1 x  stays: it is no stream record" in said
    assert said[-1] == "1 sent back, 1 stay"


def fill(aws, number=MANY):
    """Put many letters into a queue; return their bodies."""
    names = [f"letter {number}" for number in range(number)]
    for name in names:
        aws.put("journal-dead", name, "made up")
    return names


def test_many_letters_go_back_once_each(aws):
    """6,500 letters are sent once each, with a line about the progress each thousand."""
    names = fill(aws)
    said = run(aws)
    assert aws.now > 360
    assert aws.sent == names
    assert aws.bodies("journal-dead") == []
    assert said[:2] == [f"JournalDeadLetters  {n} of about 6500 …" for n in (1000, 2000)]
    assert said[-2:] == ["JournalDeadLetters  6500 x  made up", "6500 sent back"]


def test_many_letters_are_shown_and_left(aws):
    """6,500 letters are counted once each and become visible again."""
    names = fill(aws)
    assert run(aws, go=False)[-1] == "6500 dead letters; `make redrive GO=1` sends them back"
    assert sorted(aws.bodies("journal-dead")) == sorted(names)


def test_the_first_letters_of_very_many_are_shown(aws, monkeypatch):
    """Only the first letters' reasons are counted; the rest is SQS's estimate."""
    monkeypatch.setattr("ops.redrive.MAX_SHOWN", 1000)
    fill(aws, 1100)
    *_, reasons, more, last = run(aws, go=False)
    assert reasons == "JournalDeadLetters  1000 x  made up"
    assert more.startswith("JournalDeadLetters  about 100 more were not received")
    assert last == "1000 dead letters and about 100 more; `make redrive GO=1` sends them back"


@pytest.mark.parametrize("after", range(1, 34))
def test_an_interrupted_run_loses_nothing(aws, after):
    """After an interruption the next run sends the rest, and at most ten letters twice."""
    names = fill(aws, 95)
    aws.ends_after = after
    with pytest.raises(KeyboardInterrupt):
        run(aws)
    run(aws)
    assert set(aws.sent) == set(names)
    assert len(aws.sent) <= len(names) + 10
    assert aws.bodies("journal-dead") == []


def test_letters_that_are_hidden_are_not_none(aws):
    """Letters that another run has received are reported as not received."""
    fill(aws, 5)
    aws.receive_message(
        QueueUrl="journal-dead", MaxNumberOfMessages=10, VisibilityTimeout=900, WaitTimeSeconds=1
    )
    lines = []
    redrive(aws, RESOURCES, lines.append, go=False)
    assert lines[0].startswith("JournalDeadLetters  about 5 more were not received")
    assert lines[1] == "0 dead letters and about 5 more; `make redrive GO=1` sends them back"


def test_letters_that_sqs_does_not_count_yet_are_found(aws):
    """Letters are found although SQS's estimate is 0."""
    fill(aws, 7)
    aws.estimate = 0
    assert run(aws, go=False)[-1].startswith("7 dead letters;")
    assert run(aws)[-1] == "7 sent back"


def test_a_letter_that_sqs_shows_again_is_not_sent_again(aws):
    """A letter that SQS delivers again after its deletion is deleted again and not sent."""
    fill(aws, 3)
    forget, forgot = aws.delete_message_batch, []

    def delete(**given):
        forgot.append(given["Entries"])
        if len(forgot) == 1:
            for row in aws.queues["journal-dead"].values():
                row[1] = 0.0
        else:
            forget(**given)

    aws.delete_message_batch = delete
    assert run(aws)[-1] == "3 sent back"
    assert len(aws.sent) == 3
    assert len(forgot) == 2


def test_a_letter_that_fails_at_once_stays(aws):
    """A letter that is dead again during the run is sent once."""
    send = aws.send_message_batch

    def fail(*, QueueUrl, Entries):  # noqa: N803
        for entry in Entries:
            aws.put("journal-dead", entry["MessageBody"], "failed")
        return send(QueueUrl=QueueUrl, Entries=Entries)

    aws.send_message_batch = fail
    fill(aws, 2)
    assert run(aws)[1:] == [
        "JournalDeadLetters  2 x  stays: dead again: failed",
        "2 sent back, 2 stay",
    ]
    assert len(aws.sent) == 2


def test_what_a_queue_does_not_take_stays(aws):
    """Letters that SQS refuses stay; after MAX_STAYING of them no more are tried."""
    fill(aws, 12)
    aws.refused = {"letter 3"}
    assert run(aws)[1:] == [
        "JournalDeadLetters  1 x  stays: SQS does not take it: InternalError",
        "11 sent back, 1 stay",
    ]
    aws.refused = set(fill(aws, 1_100))
    assert run(aws)[-1] == "0 sent back, 1000 stay"


def test_large_letters_go_in_batches_of_their_own(aws):
    """Letters of 300 KB are split into batches that SQS takes."""
    for number in range(10):
        aws.put("journal-dead", f"{number}" * 300_000)
    assert run(aws)[-1] == "10 sent back"
