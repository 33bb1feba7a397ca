"""relay.reaction.running: records that have not ended when the time is over."""

import asyncio
import time
from contextlib import suppress

import pytest

from relay.change import Change
from relay.errors import HungError, PermanentError, TransientError
from relay.portal import Portal
from relay.reaction import reaction
from relay.reaction.running import RunningRecord
from relay.state_batch import StateBatch
from tests.batches import handle
from tests.late import deadline_of
from tests.samples import change_of

CHANGE = change_of()


def test_a_reaction_that_waits_for_a_call_does_not_hang(portal):
    """A reaction that waits for a call at the deadline has not failed, and comes back soon."""

    async def never(**_params):
        deadline.come.set()
        await asyncio.Event().wait()

    portal.call = lambda _method, **params: never(**params)

    @reaction
    async def wait(_change: Change, one: Portal) -> None:
        """Wait for a reading."""
        await one.call("crm.item.get", entityTypeId=2, id=5)

    deadline = deadline_of(wait)
    assert handle(wait, CHANGE.to_json()) == ["m0"]
    assert 12 <= portal.sqs.hidden[0]["VisibilityTimeout"] <= 16


@pytest.mark.parametrize(("seconds", "error"), [(1, TransientError), (100, HungError)])
def test_a_reaction_that_began_just_before_the_end_does_not_hang(seconds, error):
    """Only a reaction that ran for longer than the reserve can have hung; its error says so."""
    one = RunningRecord(None, started_at=time.monotonic() - seconds)
    late = one.late_error("tell")
    assert type(late) is error
    assert "NO_TIME" in str(late) or "within 100 s" in str(late)


@pytest.mark.usefixtures("short")
def test_a_write_that_never_ends_holds_up_no_other(portal):
    """A record whose write never ends comes back, and its next delivery waits for the lease."""

    async def call(_method, **params):
        while params["USER_ID"] == "5":
            deadline.come.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(9)

    portal.call = call

    @reaction
    async def tell(change: Change, portal: Portal) -> None:
        """Tell somebody."""
        await portal.call("im.notify.system.add", USER_ID=change.id, MESSAGE="x")

    deadline = deadline_of(tell)
    bodies = [CHANGE.to_json(), change_of("deal/6", 2).to_json()]
    assert handle(tell, *bodies) == ["m0"]
    portal.sqs.hidden.clear()
    assert handle(tell, CHANGE.to_json()) == ["m0"]
    assert 30 <= portal.sqs.hidden[0]["VisibilityTimeout"] <= 39


@pytest.fixture
def tidied(portal, monkeypatch):
    """Return a reaction that writes to the item that changed, whose last row is stored slowly.

    The deadline passes while it is stored; its `stored` waits for what the test wants.
    """
    portal.answers["crm.item.update"] = {"item": {}}
    ended, write = [], StateBatch.write

    @reaction
    async def tidy(change: Change, portal: Portal) -> None:
        """Write to the item that changed."""
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={"title": "x"})
        ended.append(change)

    async def write_slowly(self, *request):
        if ended and ended.pop():
            deadline.come.set()
            await tidy.stored()
        await write(self, *request)

    monkeypatch.setattr(StateBatch, "write", write_slowly)
    deadline = deadline_of(tidy)
    tidy.stored = lambda: deadline.passed.wait()  # noqa: PLW0108  made anew by each invocation
    return tidy


@pytest.mark.usefixtures("short")
def test_a_handled_record_whose_row_is_not_stored_in_time_comes_back(portal, tidied, capsys):
    """A record is acknowledged only once its writes are stored."""
    tidied.stored = lambda: asyncio.Event().wait()
    assert handle(tidied, CHANGE.to_json()) == ["m0"]
    assert not portal.sqs.sent
    assert '"handled":[1.0]' not in capsys.readouterr().out
    assert [call["id"] for _, call in portal.calls] == ["5"]


def test_a_handled_record_whose_row_is_stored_after_the_deadline_is_done(portal, tidied):
    """What is kept of the function's time is for storing; a second delivery writes nothing."""
    assert handle(tidied, CHANGE.to_json()) == []
    assert handle(tidied, CHANGE.to_json()) == []
    assert [call["id"] for _, call in portal.calls] == ["5"]


@pytest.mark.usefixtures("short")
def test_a_failed_record_whose_row_is_not_stored_in_time_keeps_its_error(portal, monkeypatch):
    """A record that can never be handled is dead-lettered, although its row is stored too late."""

    async def never(*_request):
        deadline.come.set()
        await asyncio.Event().wait()

    @reaction
    async def refuse(change: Change, portal: Portal) -> None:
        """Write to the item that changed, and fail."""
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={"title": "x"})
        monkeypatch.setattr(StateBatch, "write", never)
        raise PermanentError("crm.item.update", "ACCESS_DENIED")

    portal.answers["crm.item.update"] = {"item": {}}
    deadline = deadline_of(refuse)
    assert handle(refuse, CHANGE.to_json()) == []
    (dead,) = portal.sqs.sent
    assert "ACCESS_DENIED" in dead["MessageAttributes"]["reason"]["StringValue"]
