"""relay.reaction.runner: each record on its own, and what becomes of those that failed."""

import asyncio
from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from relay.change import Change
from relay.errors import ConfigurationError, OperatorError, PermanentError, TransientError
from relay.event import Event
from relay.portal import Portal
from relay.reaction import reaction
from relay.reaction.deadline import RESERVE_SECONDS
from tests.batches import handle, noting, raising
from tests.samples import change_of, event_of

CHANGE = change_of()
EVENT = event_of()
SOON = RESERVE_SECONDS + 0.1


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


def test_a_queue_that_can_not_be_told_gets_its_record_back(sqs, capsys):
    """With SQS in trouble the record stays where it is and comes back by itself."""
    sqs.failing = EndpointConnectionError(endpoint_url="https://sqs")
    for error in (PermanentError("m", "NOT_FOUND"), TransientError("m", "X")):
        assert handle(raising(error), EVENT.to_json()) == ["m0"]
    assert "trouble" in capsys.readouterr().out


@pytest.mark.parametrize("raised", [asyncio.CancelledError, SystemExit])
def test_what_is_no_exception_ends_only_its_record(portal, capsys, raised):
    """Not one that a reaction cancelled itself, nor `sys.exit`: nothing is taken for handled."""

    @reaction
    async def quit_one(change: Change) -> None:
        """Quit."""
        if change.id == "5":
            raise raised

    bodies = [
        change_of(version=2).to_json(),
        change_of(version=3).to_json(),
        change_of("deal/6", 2).to_json(),
    ]
    assert handle(quit_one, *bodies) == ["m0", "m1"]
    out = capsys.readouterr().out
    assert f'"reason":"quit_one raised {raised.__name__}"' in out
    assert '"handled":[1.0]' in out
    assert not portal.sqs.sent


def test_a_record_that_was_not_run_is_never_taken_for_handled(portal, monkeypatch):
    """Whatever went wrong around it."""

    async def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("relay.reaction.batch_store.BatchStore.store", broken)
    seen = []
    assert handle(noting(seen), change_of(version=2).to_json(), change_of(version=3).to_json()) == [
        "m1"
    ]
    assert not portal.sqs.sent
