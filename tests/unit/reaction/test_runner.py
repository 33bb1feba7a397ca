"""relay.reaction: each record on its own, and what becomes of those that failed."""

import asyncio
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from relay import settings
from relay.errors import ConfigurationError, OperatorError, PermanentError, TransientError
from relay.event import Event
from relay.portal import Portal
from relay.reaction import Reaction, reaction
from relay.reaction.runner import RESERVE_SECONDS
from tests.dynamo import Dynamo

EVENT = Event(
    event_id="main.contact.7.add",
    portal="main",
    name="ONCRMCONTACTADD",
    time="2025-12-18T08:38:44Z",
    entity="contact",
    action="add",
    entity_type_id=3,
    id="7",
    sent_at=None,
    domain=None,
    member_id=None,
    handler_id=None,
    payload={},
)


class Sqs:
    """An SQS that notes what it is told."""

    def __init__(self):
        self.sent, self.hidden, self.failing = [], [], None

    def _fail(self):
        if self.failing:
            raise self.failing

    def send_message(self, **message):
        """Take a message for the dead-letter queue."""
        self._fail()
        self.sent.append(message)

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: ARG002, N803
        """Take the time after which each record comes back."""
        self._fail()
        self.hidden += Entries
        return {}


@pytest.fixture
def sqs(monkeypatch):
    """Put a made-up SQS and a portal's URL behind the reaction."""
    sqs = Sqs()
    sqs.table = Dynamo()
    clients = {"sqs": sqs, "dynamodb": sqs.table}
    monkeypatch.setattr(settings, "client", lambda service: clients[service])
    monkeypatch.setattr(
        settings, "webhook_url", lambda kind, name: f"https://{name}.example/rest/1/{kind}secret/"
    )
    for name, value in {
        "STATE_TABLE": "state",
        "PORTAL_BURST": "50",
        "PORTAL_RATE": "2",
        "PORTAL_RESERVE_PERCENT": "10",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("QUEUE_URL", "https://sqs/queue")
    monkeypatch.setenv("DEAD_LETTERS_URL", "https://sqs/dead")
    return sqs


def batch_of(*bodies):
    """Return an SQS batch with these bodies, raw as SNS delivers them."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"r{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
            for number, body in enumerate(bodies)
        ]
    }


def handle(subject, *bodies, seconds=60.0):
    """Return the ids of the records that a reaction's handler gives back."""
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: seconds * 1000)
    answer = subject.handler(batch_of(*bodies), context)
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def raising(error):
    """Return a reaction that raises."""

    async def fails(_event: Event) -> None:
        """Fail."""
        raise error

    return Reaction(fails)


def test_a_reaction_stays_the_coroutine_that_was_written():
    """A test awaits it with what it likes; its name and docstring are its own."""
    seen = []

    @reaction
    async def note(event: Event, portal: Portal) -> None:
        """Note it."""
        seen.append((event, portal))

    asyncio.run(note(EVENT, "portal"))
    assert seen == [(EVENT, "portal")]
    assert (note.name, note.__doc__) == ("note", "Note it.")


def test_all_records_of_a_batch_run_at_once(sqs):
    """Records that wait together can share requests, so none waits for another to end."""
    both, seen = asyncio.Event(), []

    @reaction
    async def meet(event: Event, portal: Portal) -> None:
        """Wait for the other."""
        seen.append((event, portal))
        if len(seen) == 2:
            both.set()
        await both.wait()

    other = replace(EVENT, event_id="main.contact.8.add")
    assert handle(meet, EVENT.to_json(), other.to_json()) == []
    assert [event for event, _ in seen] == [EVENT, other]
    assert not sqs.sent


def test_one_record_that_must_wait_does_not_bring_the_others_back(sqs, capsys):
    """Only the record that failed is given back, for as long as its error says."""

    @reaction
    async def pick(event: Event) -> None:
        """Fail for one."""
        if event.id == "8":
            raise TransientError("crm.item.get", "QUERY_LIMIT_EXCEEDED", retry_after=100)

    other = replace(EVENT, event_id="main.contact.8.add", id="8")
    assert handle(pick, EVENT.to_json(), other.to_json()) == ["m1"]
    (hidden,) = sqs.hidden
    assert hidden["ReceiptHandle"] == "r1"
    assert 100 <= hidden["VisibilityTimeout"] <= 126
    log = capsys.readouterr().out
    assert '"handled":[1.0]' in log
    assert '"waiting":[1.0]' in log


@pytest.mark.parametrize(
    "error", [OperatorError("m", "insufficient_scope"), ConfigurationError("x"), ValueError("bug")]
)
def test_what_may_work_later_stays_in_the_queue(sqs, error):
    """A missing scope, a missing secret, a first bug: nothing is lost."""
    assert handle(raising(error), EVENT.to_json()) == ["m0"]
    assert not sqs.sent


def test_what_can_never_work_is_dead_lettered_with_its_reason(sqs, capsys):
    """The queue holds the event as it was, and which method said what."""
    error = PermanentError("crm.item.get", "NOT_FOUND", "Not found")
    assert handle(raising(error), EVENT.to_json()) == []
    (dead,) = sqs.sent
    said = {name: value["StringValue"] for name, value in dead["MessageAttributes"].items()}
    assert dead["MessageBody"] == EVENT.to_json()
    assert said == {
        "error": "PermanentError",
        "reason": "crm.item.get: NOT_FOUND: Not found",
        "method": "crm.item.get",
        "code": "NOT_FOUND",
    }
    assert '"dead_lettered":[1.0]' in capsys.readouterr().out


def test_a_reason_that_sqs_can_not_take_is_cleaned(sqs):
    """It would refuse the message, and the record would come back for ever."""
    handle(raising(PermanentError("m", "X", "a\x00b\ud83dc" + "\n" * 2000)), EVENT.to_json())
    reason = sqs.sent[0]["MessageAttributes"]["reason"]["StringValue"]
    assert reason.startswith("m: X: a\ufffdb\ufffdc\n")
    assert len(reason) == 1000


@pytest.mark.parametrize("body", ["", "x", "[]", "{}", '{"type": "com.bitrix24.event.a"}'])
def test_a_record_of_somebody_else_is_dead_lettered(sqs, body):
    """Anything but an event of this relay is put aside, with the reason."""
    assert handle(raising(ZeroDivisionError()), body) == []
    assert sqs.sent[0]["MessageAttributes"]["error"]["StringValue"] == "NotOursError"


def test_a_reaction_that_never_ends_is_stopped_in_time(sqs):
    """Shortly before the function's time is over its record is given back, the others are done."""

    @reaction
    async def hang(event: Event) -> None:
        """Hang for one."""
        if event.id == "7":
            await asyncio.Event().wait()

    other = replace(EVENT, event_id="main.contact.8.add", id="8")
    seconds = RESERVE_SECONDS + 0.3
    assert handle(hang, EVENT.to_json(), other.to_json(), seconds=seconds) == ["m0"]
    assert sqs.hidden[0]["ReceiptHandle"] == "r0"


def test_a_queue_that_can_not_be_told_gets_its_record_back(sqs, capsys):
    """With SQS in trouble the record stays where it is and comes back by itself."""
    sqs.failing = EndpointConnectionError(endpoint_url="https://sqs")
    for error in (PermanentError("m", "NOT_FOUND"), TransientError("m", "X")):
        assert handle(raising(error), EVENT.to_json()) == ["m0"]
    assert "trouble" in capsys.readouterr().out


def test_a_changed_webhook_makes_a_new_client(sqs, monkeypatch):
    """A re-issued webhook is used as soon as it has been read."""
    seen = []

    @reaction
    async def note(_event: Event, portal: Portal) -> None:
        """Note the portal."""
        seen.append(portal._portal)  # noqa: SLF001  which client is behind it

    handle(note, EVENT.to_json())
    handle(note, EVENT.to_json())
    monkeypatch.setattr(settings, "webhook_url", lambda *_: "https://main.example/rest/1/another1/")
    handle(note, EVENT.to_json())
    assert seen[0] is seen[1]
    assert seen[1] is not seen[2]
    assert not sqs.sent


def test_secrets_that_can_not_be_read_use_up_no_attempt(sqs, monkeypatch, capsys):
    """An hour without SSM dead-letters nothing: the reaction has not even begun."""

    def down(*_):
        raise EndpointConnectionError(endpoint_url="https://ssm")

    monkeypatch.setattr(settings, "webhook_url", down)

    @reaction
    async def note(_event: Event, _portal: Portal) -> None:
        """Do nothing."""

    for _ in range(9):
        assert handle(note, EVENT.to_json()) == ["m0"]
    assert not sqs.sent
    assert "SSM Parameter Store: Could not connect" in capsys.readouterr().out


def test_the_time_that_is_left_is_the_functions(sqs):
    """Calls are told how long they may take, less what giving records back needs."""
    left = []

    @reaction
    async def look(_event: Event) -> None:
        """Note what time is left."""
        left.append(look.remaining_seconds())

    handle(look, EVENT.to_json(), seconds=10.0)
    assert 7.5 < left[0] <= 10.0 - RESERVE_SECONDS
    assert not sqs.sent


def test_a_hanging_ssm_holds_up_only_the_portal_that_it_hides(sqs, monkeypatch, capsys):
    """Others' records are done, and the one that waits for its secret is no hung reaction."""
    hangs = threading.Event()

    def url(_kind, name):
        if name == "shop" or seen:
            hangs.wait(5)
        return f"https://{name}.example/rest/1/secret/"

    seen = []

    @reaction
    async def note(event: Event, _portal: Portal) -> None:
        """Note the portal."""
        seen.append(event.portal)

    monkeypatch.setattr(settings, "webhook_url", url)
    monkeypatch.setattr("relay.reaction.runner.PATIENCE_SECONDS", 0.01)
    shop = replace(EVENT, portal="shop", event_id="shop.contact.7.add").to_json()
    seconds = RESERVE_SECONDS + 0.3
    assert handle(note, shop, EVENT.to_json(), seconds=seconds) == ["m0"]
    # A portal's older webhook is used while the new look at it hangs.
    again = replace(EVENT, event_id="main.contact.8.add").to_json()
    assert handle(note, again, seconds=seconds) == []
    hangs.set()
    assert seen == ["main"] * 2
    assert not sqs.sent
    log = capsys.readouterr().out
    assert "the function's time is over" in log
    assert "HungError" not in log
