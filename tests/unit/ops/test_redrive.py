"""ops.redrive: a dead letter goes back where it came from, and is not lost on the way."""

import json
from collections import Counter

import pytest
from botocore.exceptions import EndpointConnectionError

from ops import pace
from ops.audit import open_audit
from ops.dead_letters import queues_of
from ops.letter import Chosen
from ops.redrive import Redrive
from ops.stopping import Stop
from tests.dead_letter_aws import MANY, RECORD, RESOURCES, DeadLetterAws


@pytest.fixture
def aws():
    """Return empty queues."""
    return DeadLetterAws()


ALL = Chosen()


def redrive(aws, chosen=ALL, rate=0, stop=None):
    """Redrive all queues; return what the command tells a program."""
    stop = Stop() if stop is None else stop
    aws_of = Redrive(aws, RESOURCES, chosen, rate, stop, open_audit(aws, "log"))
    return aws_of.run(queues_of(RESOURCES))


def run(aws, **options):
    """Return what was sent and what stays, by queue; no letter stays hidden."""
    document = redrive(aws, **options).document
    for url, letters in aws.queues.items():
        assert len(aws.bodies(url)) == len(letters)
    return document["sent"], {owner: dict(stay) for owner, stay in document["stay"].items() if stay}


def test_a_message_goes_back_into_its_queue_with_its_attributes(aws):
    """A letter keeps its reason and code, by which a reaction knows what an operator decided."""
    aws.put("journal-dead", "a", "made up", code="NOT_FOUND")
    assert run(aws) == ({"Journal": 1}, {})
    ((letter, _),) = aws.queues["journal"].values()
    kept = {name: one["StringValue"] for name, one in letter["MessageAttributes"].items()}
    assert kept == {"reason": "made up", "code": "NOT_FOUND"}
    assert aws.bodies("journal-dead") == []


def test_a_message_of_no_queue_stays(aws):
    """A letter of a queue that does not exist stays."""
    aws.put("orphan-dead", "a")
    assert run(aws) == ({}, {"Orphan": {"there is no queue of that name to send it to": 1}})
    assert aws.bodies("orphan-dead") == ["a"]


def test_a_record_is_handed_to_announce(aws):
    """A letter of the stream is passed to announce itself."""
    aws.put("announce-dead", json.dumps(RECORD), "KeyError('seq')")
    assert run(aws) == ({"Announce": 1}, {})
    assert aws.asked == [RECORD]
    assert aws.bodies("announce-dead") == []


def test_a_record_that_announce_does_not_understand_is_tried_once(aws):
    """A record that is dead-lettered again is counted with its new reason and not tried again."""
    aws.puts_back = "KeyError('born')"
    for number in range(12):
        record = RECORD | {"eventID": str(number)}
        aws.put("announce-dead", json.dumps(record), "KeyError('seq')")
    assert run(aws) == ({"Announce": 12}, {"Announce": {"dead again: KeyError('born')": 12}})
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
    assert run(aws) == ({"Announce": 1}, {"Announce": {"it came meanwhile": 1}})
    assert aws.bodies("announce-dead") == ["another"]


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
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
def test_a_record_that_announce_does_not_take_stays(aws, answer, error, reason):
    """A record that announce hands back or fails on stays."""
    aws.answer, aws.error = answer, error
    aws.put("announce-dead", json.dumps(RECORD), "old")
    assert run(aws) == ({}, {"Announce": {reason: 1}})
    assert aws.bodies("announce-dead") == [json.dumps(RECORD)]


def test_what_is_no_record_stays(aws):
    """A message that is no record stays, and the others are sent back."""
    aws.put("announce-dead", "no JSON")
    aws.put("announce-dead", json.dumps(RECORD))
    assert run(aws) == ({"Announce": 1}, {"Announce": {"it is no stream record": 1}})


def fill(aws, number=MANY):
    """Put many letters into a queue; return their bodies."""
    names = [f"letter {number}" for number in range(number)]
    for name in names:
        aws.put("journal-dead", name, "made up")
    return names


def test_many_letters_go_back_once_each(aws):
    """2,500 letters, whose receives take longer than they are hidden at a time, go once each."""
    names = fill(aws)
    assert run(aws) == ({"Journal": MANY}, {})
    assert aws.now > 360
    assert aws.sent == names
    assert aws.bodies("journal-dead") == []


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
    outcome = redrive(aws)
    assert outcome.document["unread"]["Journal"] == 5
    assert outcome.left


def test_letters_that_sqs_does_not_count_yet_are_found(aws):
    """Letters are found although SQS's estimate is 0."""
    fill(aws, 7)
    aws.estimate = 0
    assert run(aws) == ({"Journal": 7}, {})


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
    assert run(aws) == ({"Journal": 3}, {})
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
    assert run(aws) == ({"Journal": 2}, {"Journal": {"dead again: failed": 2}})
    assert len(aws.sent) == 2


def test_what_a_queue_does_not_take_stays(aws):
    """Letters that SQS refuses stay; after MAX_STAYING of them no more are tried."""
    fill(aws, 12)
    aws.refused = {"letter 3"}
    refused = "SQS does not take it: InternalError"
    assert run(aws) == ({"Journal": 11}, {"Journal": {refused: 1}})
    aws.queues["journal-dead"].clear()
    aws.refused = set(fill(aws, 1_100))
    assert run(aws) == ({}, {"Journal": {refused: 1000}})


def test_large_letters_go_in_batches_of_their_own(aws):
    """Letters of 300 KB are split into batches that SQS takes."""
    for number in range(10):
        aws.put("journal-dead", f"{number}" * 300_000)
    assert run(aws) == ({"Journal": 10}, {})


def change(number):
    """Return the Change of a deal as a message."""
    return json.dumps({"specversion": "1.0", "id": f"c{number}", "subject": f"deal/{number}"})


@pytest.mark.parametrize(
    "chosen",
    [
        Chosen(one="00000001"),
        Chosen(one="00000001-id"),
        Chosen(one="c1"),
        Chosen(one="deal/1"),
        Chosen(one="c1", reason="failed: DEAL 7"),
    ],
)
def test_only_what_is_chosen_goes_back(aws, chosen):
    """One letter is chosen by its id, its change's or its item's; the others stay as they are."""
    for number in range(12):
        aws.put("journal-dead", change(number), "failed: deal 7")
    assert run(aws, chosen=chosen) == ({"Journal": 1}, {})
    assert aws.sent == [change(1)]
    assert len(aws.bodies("journal-dead")) == 11


def test_a_question_is_answered_by_nobody_but_an_operator(aws):
    """A create that may have run is not sent with all others, as that would make it twice."""
    aws.put("journal-dead", "sure", "gone")
    aws.put("journal-dead", "unsure", "crm.deal.add: UNDECIDED", code="UNDECIDED")
    sent, stay = run(aws)
    assert (sent, aws.sent) == ({"Journal": 1}, ["sure"])
    assert ["make dead REASON=UNDECIDED" in why for why in stay["Journal"]] == [True]
    assert run(aws, chosen=Chosen(reason="UNDECIDED")) == ({"Journal": 1}, {})
    assert aws.sent == ["sure", "unsure"]


class Steps(Stop):
    """Somebody presses Ctrl-C after so many sleeps, which take no time."""

    def __init__(self, after=None):
        super().__init__()
        self.slept, self._after = [], after

    def sleep(self, seconds):
        """Note a sleep."""
        self.slept.append(seconds)

    def __bool__(self):
        return self._after is not None and len(self.slept) >= self._after


@pytest.mark.parametrize(("rate", "size"), [(5, 5), (0.5, 1), (100, 10)])
def test_a_rate_is_kept(aws, monkeypatch, rate, size):
    """Twenty letters take twenty times the time of one, less the last step's."""
    fill(aws, 20)
    stop = Steps()
    monkeypatch.setattr(pace.time, "monotonic", lambda: sum(stop.slept))
    assert run(aws, rate=rate, stop=stop) == ({"Journal": 20}, {})
    assert sum(stop.slept) == pytest.approx((20 - size) / rate)
    assert max(stop.slept) <= max(1 / rate, 1)


@pytest.mark.parametrize("after", range(1, 5))
def test_ctrl_c_between_two_steps_sends_nothing_twice(aws, after):
    """What was sent is deleted before the command ends, and the next run sends the rest."""
    names = fill(aws, 35)
    outcome = redrive(aws, rate=100, stop=Steps(after))
    assert outcome.left
    run(aws)
    assert Counter(aws.sent) == Counter(names)


def test_what_was_sent_is_in_the_log(aws):
    """A line for each letter: which, why it was dead, and who sent it back."""
    aws.put("journal-dead", change(7), "made up")
    run(aws)
    (line,) = aws.noted
    assert (line["message"], line["record_id"], line["subject"]) == ("sent back", "c7", "deal/7")
    assert (line["reason"], line["by"]) == ("made up", "arn:aws:iam::1:user/ada")


def test_a_log_that_fails_does_not_stop_it(aws):
    """Letters are sent once, whether or not their lines could be written."""
    fill(aws, 12)
    aws.put_log_events = lambda **_: (_ for _ in ()).throw(EndpointConnectionError(endpoint_url=""))
    assert run(aws) == ({"Journal": 12}, {})
