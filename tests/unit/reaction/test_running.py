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
from tests.samples import change_of

CHANGE = change_of()


def test_a_reaction_that_waits_for_a_call_does_not_hang(portal, monkeypatch):
    """A reaction that waits for a call at the deadline has not failed, and comes back soon."""
    monkeypatch.setattr("relay.reaction.deadline.RESERVE_SECONDS", 0.05)

    async def never(**_params):
        await asyncio.Event().wait()

    portal.call = lambda _method, **params: never(**params)

    @reaction
    async def wait(_change: Change, one: Portal) -> None:
        """Wait for a reading."""
        await one.call("crm.item.get", entityTypeId=2, id=5)

    assert handle(wait, CHANGE.to_json(), seconds=0.2) == ["m0"]
    assert 12 <= portal.sqs.hidden[0]["VisibilityTimeout"] <= 16


@pytest.mark.parametrize(("seconds", "error"), [(1, TransientError), (100, HungError)])
def test_a_reaction_that_began_just_before_the_end_does_not_hang(seconds, error):
    """Only a reaction that ran for longer than the reserve can have hung; its error says so."""
    one = RunningRecord(None, started_at=time.monotonic() - seconds)
    late = one.late_error("tell")
    assert type(late) is error
    assert "NO_TIME" in str(late) or "within 100 s" in str(late)


def test_a_write_that_never_ends_holds_up_no_other(portal, monkeypatch):
    """A record whose write never ends comes back, and its next delivery waits for the lease."""
    monkeypatch.setattr("relay.reaction.deadline.RESERVE_SECONDS", 0.2)

    async def call(_method, **params):
        while params["USER_ID"] == "5":
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(9)

    portal.call = call

    @reaction
    async def tell(change: Change, portal: Portal) -> None:
        """Tell somebody."""
        await portal.call("im.notify.system.add", USER_ID=change.id, MESSAGE="x")

    bodies = [CHANGE.to_json(), change_of("deal/6", 2).to_json()]
    assert handle(tell, *bodies, seconds=0.4) == ["m0"]
    portal.sqs.hidden.clear()
    assert handle(tell, CHANGE.to_json()) == ["m0"]
    assert 30 <= portal.sqs.hidden[0]["VisibilityTimeout"] <= 39


def test_a_handled_record_whose_row_is_not_stored_in_time_comes_back(portal, monkeypatch, capsys):
    """A record is acknowledged only once its writes are stored."""
    monkeypatch.setattr("relay.reaction.deadline.RESERVE_SECONDS", 0.2)
    portal.answers["crm.item.update"] = {"item": {}}
    slow = {}

    @reaction
    async def tidy(change: Change, portal: Portal) -> None:
        """Write to the item that changed."""
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={"title": "x"})
        slow["store"] = slow["seconds"]

    write = StateBatch.write

    async def write_slowly(self, *request):
        await asyncio.sleep(slow.pop("store", 0))
        await write(self, *request)

    monkeypatch.setattr(StateBatch, "write", write_slowly)
    slow["seconds"] = 9
    assert handle(tidy, CHANGE.to_json(), seconds=0.3) == ["m0"]
    assert not portal.sqs.sent
    assert '"handled":[1.0]' not in capsys.readouterr().out
    slow["seconds"] = 0.15  # after the time for reactions, within what is kept for storing
    other = change_of("deal/6", 3).to_json()
    assert handle(tidy, other, seconds=0.3) == []
    assert handle(tidy, other) == []
    assert [call["id"] for _, call in portal.calls] == ["5", "6"]


def test_a_failed_record_whose_row_is_not_stored_in_time_keeps_its_error(portal, monkeypatch):
    """A record that can never be handled is dead-lettered, although its row is stored too late."""
    monkeypatch.setattr("relay.reaction.deadline.RESERVE_SECONDS", 0.2)

    async def never(*_request):
        await asyncio.Event().wait()

    @reaction
    async def refuse(change: Change, portal: Portal) -> None:
        """Write to the item that changed, and fail."""
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={"title": "x"})
        monkeypatch.setattr(StateBatch, "write", never)
        raise PermanentError("crm.item.update", "ACCESS_DENIED")

    portal.answers["crm.item.update"] = {"item": {}}
    assert handle(refuse, CHANGE.to_json(), seconds=0.3) == []
    (dead,) = portal.sqs.sent
    assert "ACCESS_DENIED" in dead["MessageAttributes"]["reason"]["StringValue"]
