"""relay.reaction.runner: each record on its own, and what becomes of those that failed."""

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from relay.change import Change
from relay.errors import ConfigurationError, OperatorError, PermanentError, TransientError
from relay.event import Event
from relay.portal import Portal
from relay.reaction import reaction
from tests.batches import handle, noting, raising
from tests.samples import change_of, event_of

EVENT = event_of()


def test_a_reaction_stays_the_coroutine_that_was_written():
    """A reaction can be awaited as it was written, and keeps its name and docstring."""
    received = []

    @reaction
    async def note(event: Event, portal: Portal) -> None:
        """Note it."""
        received.append((event, portal))

    asyncio.run(note(EVENT, "portal"))
    assert received == [(EVENT, "portal")]
    assert (note.name, note.__doc__) == ("note", "Note it.")


def test_all_records_of_a_batch_run_at_once(sqs):
    """Two records that wait for each other are both handled."""
    both, received = asyncio.Event(), []

    @reaction
    async def meet(event: Event, portal: Portal) -> None:
        """Wait for the other."""
        received.append((event, portal))
        if len(received) == 2:
            both.set()
        await both.wait()

    other = replace(EVENT, event_id="main.contact.8.add")
    assert handle(meet, EVENT.to_json(), other.to_json()) == []
    assert [event for event, _ in received] == [EVENT, other]
    assert not sqs.sent


def test_one_record_that_must_wait_does_not_bring_the_others_back(sqs, capsys):
    """Only the record that waits is given back, for as long as its error says; each is counted."""

    @reaction
    async def pick(event: Event) -> None:
        """Fail for one."""
        if event.id == "8":
            raise TransientError("crm.item.get", "QUERY_LIMIT_EXCEEDED", retry_after=100)
        if event.id == "9":
            raise PermanentError("crm.item.get", "NOT_FOUND")

    waits, dead = (replace(EVENT, event_id=f"main.contact.{n}.add", id=n) for n in ("8", "9"))
    bodies = [one.to_json() for one in (EVENT, waits, dead)]
    assert handle(pick, *bodies) == ["m1"]
    (hidden,) = sqs.hidden
    assert hidden["ReceiptHandle"] == "r1"
    assert 100 <= hidden["VisibilityTimeout"] <= 126
    log = capsys.readouterr().out
    assert '"handled":[1.0]' in log
    assert '"waiting":[1.0]' in log
    assert '"dead_lettered":[1.0]' in log


@pytest.mark.parametrize(
    "error", [OperatorError("m", "insufficient_scope"), ConfigurationError("x"), ValueError("bug")]
)
def test_a_record_that_may_work_later_comes_back(sqs, error):
    """A record with a missing scope, a missing secret or a first bug comes back."""
    assert handle(raising(error), EVENT.to_json()) == ["m0"]
    assert not sqs.sent


@pytest.mark.parametrize(
    ("error", "failed"), [(ValueError("bug"), True), (OperatorError("m", "NO_AUTH_FOUND"), False)]
)
def test_only_a_reactions_own_failure_is_counted_as_one(sqs, capsys, error, failed):
    """A record that waits for somebody else has not failed."""
    assert handle(raising(error), EVENT.to_json()) == ["m0"]
    assert not sqs.sent
    out = capsys.readouterr().out
    assert '"waiting":[1.0]' in out
    assert ('"failed":[1.0]' in out) is failed


def test_a_record_that_can_never_work_is_dead_lettered(sqs, capsys):
    """The dead letter has the event as it was, with method, code and reason."""
    error = PermanentError("crm.item.get", "NOT_FOUND", "Not found")
    assert handle(raising(error), EVENT.to_json()) == []
    (dead,) = sqs.sent
    attributes = {name: value["StringValue"] for name, value in dead["MessageAttributes"].items()}
    assert dead["MessageBody"] == EVENT.to_json()
    assert attributes == {
        "error": "PermanentError",
        "reason": "crm.item.get: NOT_FOUND: Not found",
        "method": "crm.item.get",
        "code": "NOT_FOUND",
    }
    assert '"dead_lettered":[1.0]' in capsys.readouterr().out


def test_a_reason_is_cleaned_for_sqs(sqs):
    """Characters that SQS refuses are replaced, and a reason has 1,000 characters at most."""
    handle(raising(PermanentError("m", "X", "a\x00b\ud83dc" + "\n" * 2000)), EVENT.to_json())
    reason = sqs.sent[0]["MessageAttributes"]["reason"]["StringValue"]
    assert reason.startswith("m: X: a\ufffdb\ufffdc\n")
    assert len(reason) == 1000


def test_while_sqs_is_away_a_record_comes_back_by_itself(sqs, capsys):
    """While SQS is away no record is dead-lettered or lost: it comes back by itself."""
    sqs.failing = EndpointConnectionError(endpoint_url="https://sqs")
    for error in (PermanentError("m", "NOT_FOUND"), TransientError("m", "X")):
        assert handle(raising(error), EVENT.to_json()) == ["m0"]
    assert "trouble" in capsys.readouterr().out


@pytest.mark.parametrize("raised", [asyncio.CancelledError, SystemExit])
def test_cancellation_and_exit_fail_their_record_only(portal, capsys, raised):
    """CancelledError and SystemExit of a reaction fail its record and no other."""

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


@pytest.mark.filterwarnings("ignore:coroutine 'OncePortal")
@pytest.mark.parametrize("kind", ["call", "batch", "task"])
def test_a_call_that_was_not_awaited_fails_its_record(portal, capsys, kind):
    """The portal never got it, and the record would have passed for handled."""
    tasks = []

    @reaction
    async def forget(change: Change, portal: Portal) -> None:
        """Forget to await."""
        if change.id == "5" and kind == "call":
            portal.call("im.notify.system.add", USER_ID=1)
        elif change.id == "5" and kind == "task":
            tasks.append(asyncio.create_task(portal.call("im.notify.system.add", USER_ID=1)))
        elif change.id == "5":
            portal.batch({"a": ("im.notify.system.add", {"USER_ID": 1})})

    bodies = [change_of().to_json(), change_of("deal/6").to_json()]
    assert handle(forget, *bodies) == ["m0"]
    assert portal.calls == []
    method = "batch" if kind == "batch" else "im.notify.system.add"
    assert f"{method} was not awaited: write `await portal.call" in capsys.readouterr().out


def test_a_call_whose_caller_gave_up_is_no_mistake(portal):
    """A call that has begun is finished, and its record is handled."""
    gate = asyncio.Event()

    async def answer_late(_method, **_params):
        gate.set()
        await asyncio.sleep(0)
        return 1

    portal.call = answer_late

    @reaction
    async def hurry(change: Change, portal: Portal) -> None:
        """Wait for the beginning only."""
        call = portal.call("im.notify.system.add", USER_ID=1, MESSAGE=change.id)
        task = asyncio.create_task(call)
        await gate.wait()
        task.cancel()

    assert handle(hurry, change_of().to_json()) == []


def test_the_lease_outlives_the_function_and_what_it_has_sent(portal):
    """While a write is sent, its lease lasts for the function's time and the portal's minute."""
    leases = []

    def answer(**_):
        (row,) = portal.sqs.table.rows.values()
        leases.append(float(row["until"]["N"]) - time.time())
        return True

    @reaction
    async def tell(_event: Event, portal: Portal) -> None:
        """Tell somebody."""
        await portal.call("im.notify.system.add", USER_ID=1, MESSAGE="x")

    portal.answers["im.notify.system.add"] = answer
    assert handle(tell, EVENT.to_json(), seconds=100) == []
    assert 140 < leases[0] <= 160


def test_a_record_that_did_not_run_is_not_handled(portal, monkeypatch):
    """A chain that breaks down gives back the records that have not run."""

    async def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("relay.reaction.batch_store.BatchStore.store", broken)
    received = []
    assert handle(
        noting(received), change_of(version=2).to_json(), change_of(version=3).to_json()
    ) == ["m1"]
    assert not portal.sqs.sent


@pytest.mark.parametrize(
    ("moment", "least", "most"), [(60, 60, 65), (-60, 0, 0.1), ("yesterday", 0, 0.1)]
)
def test_the_time_from_the_change_to_its_effect_is_logged(portal, capsys, moment, least, most):
    """In seconds; another's clock that is ahead, or no time at all, is no reason to fail."""
    when = moment if isinstance(moment, str) else str(datetime.now(UTC) - timedelta(0, moment))
    change = replace(change_of(version=2), time=when)
    assert handle(noting([]), change.to_json()) == []
    assert not portal.sqs.sent
    (line,) = [line for line in capsys.readouterr().out.splitlines() if '"lag"' in line]
    assert least <= json.loads(line)["lag"] < most + 5
