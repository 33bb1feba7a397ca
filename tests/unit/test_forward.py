"""relay.forward: entries on the bus; records that EventBridge does not take come back."""

import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from relay import forward
from relay.change import Fields
from relay.forward import MAX_BYTES, SOURCE, TIME_BYTES, handler
from tests.ingress_aws import counted
from tests.samples import load

CHANGE = load("sqs_deal_won")


class Aws:
    """Stands for EventBridge and SQS; `codes`, `down`, `sqs_down` and `most` make them fail."""

    def __init__(self):
        """Take everything until a failure is set."""
        self.requests, self.dead, self.waits = [], [], {}
        self.codes, self.down, self.sqs_down, self.most = {}, None, None, None

    def put_events(self, Entries):  # noqa: N803
        """Take entries, except those whose detail's id has a code."""
        self.requests.append(Entries)
        if self.down:
            raise self.down
        if self.most and sum(len(entry["Detail"]) for entry in Entries) > self.most:
            response = {"Error": {"Code": "ValidationException", "Message": "too large"}}
            raise ClientError(response, "PutEvents")
        codes = [self.codes.get(json.loads(entry["Detail"])["id"]) for entry in Entries]
        return {
            "FailedEntryCount": len(list(filter(None, codes))),
            "Entries": [
                {"ErrorCode": code, "ErrorMessage": "so it is"} if code else {"EventId": "1"}
                for code in codes
            ],
        }

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Note for how long records are hidden."""
        assert QueueUrl == "https://sqs/queue"
        self.waits |= {one["ReceiptHandle"]: one["VisibilityTimeout"] for one in Entries}
        return {}

    def send_message(self, **message):
        """Take a dead letter."""
        if self.sqs_down:
            raise self.sqs_down
        self.dead.append(message)


@pytest.fixture
def aws(monkeypatch, aws_clients):
    """Return the fake AWS, with the function's environment set."""
    aws_clients.every = fake = Aws()
    monkeypatch.setenv("BUS_NAME", "relay")
    monkeypatch.setenv("QUEUE_URL", "https://sqs/queue")
    monkeypatch.setenv("DEAD_LETTERS_URL", "https://sqs/dead")
    return fake


def batch(*bodies):
    """Return an SQS batch of these messages; a record's id is its place."""
    return {
        "Records": [
            {"messageId": str(at), "receiptHandle": f"r{at}", "body": body, "attributes": {}}
            for at, body in enumerate(bodies)
        ]
    }


def failed(answer):
    """Return the message ids of the records that come back."""
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def many(number):
    """Return messages of so many changes, each with its number as id."""
    return [replace(CHANGE, change_id=str(at)).to_json() for at in range(number)]


def reason(letter):
    """Return a dead letter's reason."""
    return letter["MessageAttributes"]["reason"]["StringValue"]


def test_a_change_is_put_as_it_is(aws, load_event):
    """The detail is the unchanged message; type and time are the CloudEvent's."""
    sample = load_event("sqs_deal_won")
    assert failed(handler(sample)) == []
    ((entry,),) = aws.requests
    assert entry.pop("Time").isoformat() == "2025-12-18T08:38:44+00:00"
    assert entry == {
        "EventBusName": "relay",
        "Source": SOURCE,
        "DetailType": "com.bitrix24.deal.updated",
        "Detail": sample["Records"][0]["body"],
    }


def test_an_event_is_put_as_well(aws, load_event):
    """An event is put like a change."""
    assert failed(handler(load_event("sqs_contact_added"))) == []
    assert aws.requests[0][0]["DetailType"] == "com.bitrix24.event.oncrmcontactadd"


def test_a_request_has_ten_entries_and_fits(aws):
    """25 records are three requests; large entries share a request only within its limit."""
    assert failed(handler(batch(*many(25)))) == []
    assert [len(entries) for entries in aws.requests] == [10, 10, 5]
    aws.requests.clear()
    large = replace(CHANGE, after=Fields({"comments": "x" * 400_000})).to_json()
    assert failed(handler(batch(*[large] * 5))) == []
    assert [len(entries) for entries in aws.requests] == [2, 2, 1]


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"data":' * 100_000, CHANGE.to_json().replace("Ten", "\ud800")]
)
def test_a_message_that_no_parser_takes_is_dead_lettered_alone(aws, body):
    """A message that is nested too deep or can not be encoded is dead-lettered alone."""
    first, second = many(2)
    assert failed(handler(batch(first, body, second))) == []
    assert [len(entries) for entries in aws.requests] == [2]
    assert len(aws.dead) == 1
    assert "not a change or event" in reason(aws.dead[0])


def test_only_the_entry_that_failed_comes_back(aws):
    """A record with a transient code comes back, the others are done."""
    aws.codes = {"3": "ThrottlingException", "12": "InternalFailure"}
    assert failed(handler(batch(*many(15)))) == ["3", "12"]
    assert aws.dead == []
    assert aws.waits.keys() == {"r3", "r12"}
    assert all(12 <= seconds <= 16 for seconds in aws.waits.values())


def test_an_entry_that_is_refused_is_put_aside_with_its_code(aws):
    """A refused entry is dead-lettered with the code and does not come back."""
    aws.codes = {"1": "MalformedDetail"}
    messages = many(3)
    assert failed(handler(batch(*messages))) == []
    (letter,) = aws.dead
    assert letter["MessageBody"] == messages[1]
    assert reason(letter) == "MalformedDetail: so it is"


def test_each_outcome_is_counted(aws, capsys):
    """Forwarded, waiting and dead-lettered records are counted apart."""
    aws.codes = {"1": "MalformedDetail", "2": "ThrottlingException", "3": "InternalFailure"}
    assert failed(handler(batch(*many(8)))) == ["2", "3"]
    counts = counted(capsys.readouterr().out)
    names = ("forwarded", "waiting", "dead_lettered")
    assert [counts[name] for name in names] == [5, 2, 1]


def test_a_request_that_is_refused_is_taken_apart(aws):
    """Of a request that is refused whole, only the invalid entry is dead-lettered."""
    aws.most = 5000
    large = replace(CHANGE, after=Fields({"comments": "x" * 6000})).to_json()
    assert failed(handler(batch(*many(2), large))) == []
    assert len(aws.requests) == 4
    assert "too large" in reason(aws.dead[0])
    assert len(aws.dead) == 1


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutEvents"),
        ConnectTimeoutError(endpoint_url="https://events"),
    ],
)
def test_while_the_bus_is_out_of_reach_everything_comes_back(aws, error):
    """After one failed request all records come back, and no other request is tried."""
    aws.down = error
    assert failed(handler(batch(*many(25)))) == [str(at) for at in range(25)]
    assert len(aws.requests) == 1
    assert aws.dead == []


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        '"text"',
        '{"type": "com.bitrix24.deal.updated"}',
        '{"type": 1, "time": "2025-12-18T08:38:44Z"}',
        '{"type": "com.bitrix24.deal.updated", "time": "yesterday"}',
        '{"type": "com.other.thing", "time": "2025-12-18T08:38:44Z", "data": {"action": null}}',
    ],
)
def test_what_is_not_ours_is_put_aside_and_the_others_are_put(aws, body):
    """A message that is no CloudEvent of the relay is dead-lettered, the others are put."""
    assert failed(handler(batch(body, *many(1)))) == []
    assert len(aws.requests[0]) == 1
    assert reason(aws.dead[0])


def test_what_can_not_even_be_put_aside_comes_back(aws):
    """A record that can't be dead-lettered comes back."""
    aws.sqs_down = ConnectTimeoutError(endpoint_url="https://sqs")
    assert failed(handler(batch("no json", *many(1)))) == ["0"]


def test_a_change_that_is_too_large_loses_its_largest_fields_and_says_so(aws):
    """The largest fields are left out and named in `truncated`; the entry fits."""
    text = "я" * 300_000
    change = replace(
        CHANGE,
        before=Fields({"comments": text, "stageId": "NEW"}),
        after=Fields({"comments": text, "title": "T", "long": "x" * 100_000}),
        truncated=("other",),
    )
    assert failed(handler(batch(change.to_json()))) == []
    data = json.loads(aws.requests[0][0]["Detail"])["data"]
    assert data["truncated"] == ["other", "comments"]
    assert data["before"] == {"stageId": "NEW"}
    assert set(data["after"]) == {"title", "long"}
    assert len(aws.requests[0][0]["Detail"].encode()) < MAX_BYTES


def test_an_event_that_is_too_large_is_put_aside(aws):
    """An event without fields to leave out is dead-lettered."""
    event = replace(load("sqs_call_missed"), payload={"x": "y" * MAX_BYTES})
    assert failed(handler(batch(event.to_json()))) == []
    assert aws.requests == []
    assert "of which EventBridge takes" in reason(aws.dead[0])


def test_a_missing_setting_fails_the_invocation(monkeypatch):
    """A missing BUS_NAME raises ConfigurationError that names it."""
    monkeypatch.delenv("BUS_NAME", raising=False)
    with pytest.raises(forward.settings.ConfigurationError, match="BUS_NAME"):
        handler(batch(*many(1)))


@pytest.mark.parametrize(("more", "put"), [(0, True), (1, False)])
def test_the_limit_counts_all_of_an_entry(aws, more, put):
    """An entry of MAX_BYTES, with time, source and type, is put; a larger one is not."""
    event = replace(load("sqs_call_missed"), payload="")
    around = len(SOURCE) + len("com.bitrix24.event." + event.name) + TIME_BYTES
    spare = MAX_BYTES - around - len(event.to_json().encode()) + more
    large = replace(event, payload="x" * spare).to_json()
    assert failed(handler(batch(large))) == []
    assert (len(aws.requests), len(aws.dead)) == (put, not put)
