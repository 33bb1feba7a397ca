"""make undo against a portal: what is written, in how many requests, and whose changes it makes."""

import asyncio
import time
from collections import Counter

import pytest

from local.portal.server import PortalServer
from ops import undo
from relay.history import PastChange
from relay.portal import Portal, Webhook
from relay.portal.slots import OwnSlots, Pace
from relay.portal.webhook_state import forget
from tests.pasts import STACK, Tables
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

SECRET = "s3cr3ts3cr3ts3cr"


@pytest.fixture(scope="module")
def server():
    """Start a portal without limits, without deals but ours."""
    with PortalServer(secret=SECRET, limits=False, seeded=False) as started:
        yield started


@pytest.fixture
def tracked(relay, server, monkeypatch, aws_clients):
    """Return the handlers on a portal, with the command beside them."""
    forget()
    webhook = Webhook.parse(server.webhook_url, allow_http=True)

    def portal(*_arguments):
        slots = OwnSlots(Pace(burst=5000, rate=2000))
        return Portal(webhook, remaining_seconds=lambda: 60.0, slots=slots)

    relay.connect = portal
    aws_clients.deploy(STACK)["dynamodb"] = Tables(relay)
    monkeypatch.setattr(undo, "open_portal", portal)
    aws_clients["ssm"], relay.notes = relay.clients["ssm"], aws_clients.notes

    def write(method, many):
        async def calls(one):
            return await asyncio.gather(
                *(one.call(method, entityTypeId=2, **params) for params in many)
            )

        return asyncio.run(calls(portal()))

    def edit(ids, **fields):
        write("crm.item.update", [{"id": one, "fields": fields} for one in ids])
        for one in ids:
            relay.event(one)
        return relay.settle()

    def added(count):
        items = [{"fields": {"title": "a", "stageId": "NEW"}}] * count
        ids = sorted(one["item"]["id"] for one in write("crm.item.add", items))
        relay.baseline()
        return ids

    relay.edit, relay.added, relay.write = edit, added, write
    relay.titles = lambda: Counter(one["title"] for one in server.portal.items[2].rows.values())
    yield relay
    write(
        "crm.item.delete", [{"id": one["id"]} for one in list(server.portal.items[2].rows.values())]
    )
    forget()


def kept(relay):
    """Return the history's changes, the newest last."""
    return sorted(map(PastChange.of, relay.dynamo.history.values()), key=lambda one: one.at)


def test_a_thousand_changes_are_undone_in_twenty_requests(tracked, server):
    """50 writes share a request; the changes that come of it are the relay's, by `undo`."""
    ids = tracked.added(1000)
    since = time.time()
    tracked.edit(ids, title="b")
    before = server.portal.strip.counters["requests"]
    outcome = undo.command(since=str_of(since), by="1", go=True)
    assert server.portal.strip.counters["requests"] - before == 20
    assert (outcome.left, len(outcome.document["items"])) == (False, 1000)
    assert tracked.titles() == {"a": 1000}
    for one in ids:
        tracked.event(one)
    changes = tracked.settle()
    assert {one["data"]["origin"] for one in changes} == {"relay"}
    assert {(one.origin, one.reaction) for one in kept(tracked)[1000:]} == {("relay", "undo")}


def str_of(moment):
    """Return how many seconds ago a moment is, as an operator writes it, and one more."""
    return f"{int(time.time() - moment) + 1}s"


def test_an_undo_is_undone_like_any_other_change(tracked):
    """Undone twice the deal is as before the first undo."""
    ids = tracked.added(1)
    (change,) = tracked.edit(ids, title="b", stageId="WON")
    undo.command(change=change["id"])
    assert tracked.titles() == {"a": 1}
    tracked.event(ids[0])
    (restored,) = tracked.settle()
    assert tracked.notes == [("undone", {"change_id": change["id"], "portal": "main"})]
    assert undo.command(change=restored["id"]).document["items"][0]["fields"]["title"] == {
        "now": "a",
        "then": "b",
    }
    assert tracked.titles() == {"b": 1}


def test_what_was_edited_since_stays(tracked, capsys):
    """Of three deals one was edited again: it is refused with the reason, two are written."""
    ids = tracked.added(3)
    since = time.time()
    tracked.edit(ids, title="b")
    tracked.edit(ids[:1], title="mine")
    first = next(one.change_id for one in kept(tracked) if f".{ids[0]}." in one.change_id)
    outcome = undo.command(change=first)
    assert "title was changed again after" in capsys.readouterr().out
    assert (outcome.left, outcome.document["written"]) == (True, False)
    outcome = undo.command(since=str_of(since), by="1", field="title", go=True)
    assert tracked.titles() == {"a": 3}  # both changes of the first deal are among them
    assert not outcome.left


def test_changes_of_other_fields_are_left_alone(tracked):
    """FIELD=title SINCE=… spares deals whose title did not change, and other fields of all."""
    ids = tracked.added(3)
    since = time.time()
    tracked.edit(ids[:2], title="b", stageId="WON")
    tracked.edit(ids[1:], stageId="LOSE")
    outcome = undo.command(since=str_of(since), field="title", go=True)
    assert (outcome.left, len(outcome.document["items"])) == (False, 2)
    assert tracked.titles() == {"a": 3}
    tracked.event(ids[0])
    (change,) = tracked.settle()
    assert change["data"]["changed"] == ["title"]


def test_what_a_reaction_wrote_is_not_its_users(tracked):
    """BY=1 does not mean what `undo` wrote through user 1's webhook; BY=undo does."""
    ids = tracked.added(1)
    since = time.time()
    (change,) = tracked.edit(ids, title="b")
    undo.command(change=change["id"])
    tracked.event(ids[0])
    tracked.settle()
    assert undo.command(since=str_of(since), by="1").document["items"][0]["fields"] == {}
    undo.command(since=str_of(since), by="undo", go=True)
    assert tracked.titles() == {"b": 1}


def test_a_dry_run_and_a_list_write_nothing(tracked, server, capsys):
    """DRY=1, and many without GO=1, say what would be written and send no request."""
    ids = tracked.added(2)
    since = time.time()
    (change, _) = tracked.edit(ids, title="b")
    before = server.portal.strip.counters["requests"]
    undo.command(change=change["id"], dry=True)
    undo.command(since=str_of(since))
    undo.command(since=str_of(since), go=True, dry=True)
    assert undo.command(since=str_of(since), by="77").document["items"] == []
    assert server.portal.strip.counters["requests"] == before
    out = capsys.readouterr().out
    assert "title: b -> a" in out
    assert "2 items would be written, 0 not undone; GO=1 writes them back" in out
    assert "nothing is to be written" in out


def test_a_refused_write_is_named_and_costs_only_itself(tracked, capsys):
    """A deal that was deleted a second ago is not written; the other is."""
    ids = tracked.added(2)
    since = time.time()
    tracked.edit(ids, title="b")
    tracked.write("crm.item.delete", [{"id": ids[0]}])
    outcome = undo.command(since=str_of(since), go=True)
    assert list(outcome.document["refused"]) == [f"deal/{ids[0]}"]
    assert outcome.left
    assert "1 item written back, 1 not undone" in capsys.readouterr().out
    assert tracked.titles() == {"a": 1}


def test_a_change_of_another_stack_is_refused(tracked, capsys):
    """An id that the history does not have, and one that is none, are two sentences."""
    (number,) = tracked.added(1)
    outcome = undo.command(change=f"main.deal.{number}.0.7")
    assert outcome.left
    assert "is not in the history: it is older, or never was" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="is no change's id"):
        undo.command(change="deal/7")


@pytest.mark.parametrize("asked", [{}, {"change": "x", "since": "1d"}])
def test_one_change_or_many_are_named(tracked, asked):
    """CHANGE= and SINCE= exclude each other, and one is needed."""
    assert tracked
    with pytest.raises(SystemExit, match="name one change with CHANGE"):
        undo.command(**asked)
