"""make rehearse: the code of this folder over what happened, without a request and a write."""

import asyncio
import time
from contextlib import suppress

import pytest
import requests

from ops import rehearse, selection
from ops.former_world import FormerWorld, NotHeldError
from ops.happened import Happened
from ops.offline import Network
from ops.reactions import LocalReaction
from relay.change import Change
from relay.errors import PermanentError
from relay.portal import PortalApi
from relay.reaction import reaction
from relay.reactions.follow_up import follow_up
from tests.pasts import STACK, Ordeal, Tables, past_of, react, won
from tests.tracking_aws import LATER, OLD, changes
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

ALL = {"data": {"action": ["added", "updated", "deleted"]}}


@pytest.fixture
def tables(relay, aws_clients):
    """Return the relay's tables, joined to the command."""
    tables = Tables(relay)
    aws_clients.deploy(STACK)["dynamodb"] = tables
    return tables


@pytest.fixture
def rehearsed(tables, monkeypatch):
    """Return the function that rehearses a coroutine as the reaction of a name."""
    assert tables

    def run(coroutine, name="guest", policy=ALL, since="1h"):
        local = LocalReaction(name, coroutine, True, policy)
        monkeypatch.setattr(rehearse, "find_reaction", lambda _name: local)
        return rehearse.command(name, since=since)

    return run


def test_what_is_listed_is_what_was_written(relay, tables, rehearsed):
    """Of 150 won deals each has the two writes that the function made, with the ids of then."""
    calls = react(tables, won(relay, 150))
    for _, params in calls:
        params["fields"].pop("XML_ID", None)  # the stamp, which the runner adds
    document = rehearsed(follow_up, "follow_up").document
    assert (document["total"], document["writing"], document["differ"]) == (150, 150, 0)
    listed = [(w["method"], w["params"]) for one in document["changes"] for w in one["writes"]]
    assert sorted(map(str, listed)) == sorted(map(str, calls))
    assert all(one["as_done"] for one in document["changes"])


def edit(relay, type_id, entity, number, **fields):
    """Let an item be edited and read; return the Changes."""
    relay.portal.put(type_id, number, **fields, updatedTime=LATER)
    relay.event(number, entity=entity, type_id=type_id)
    return relay.settle()


def test_other_code_differs_where_it_writes_something_else(relay, tables, rehearsed, capsys):
    """Three deals have another title for their task; one that was never handled is new."""
    messages = won(relay, 10)
    react(tables, [one for one in messages if one["data"]["id"] != "10"])

    @reaction
    async def other(change: Change, portal: PortalApi) -> None:
        if int(change.id) <= 3:
            await portal.call("tasks.task.add", fields={"TITLE": "another"})
        else:
            await follow_up(change, portal)

    outcome = rehearsed(other, "follow_up")
    assert (outcome.document["differ"], outcome.left) == (3, False)
    out = capsys.readouterr().out
    assert "would write 17 times for 10 of 10 changes; 3 differ from what was done" in out
    assert outcome.document["new"] == 1


def test_reads_are_answered_as_of_then(relay, rehearsed):
    """A company's deals are those of the moment of each change, not of today."""
    by_item = {}

    @reaction
    async def guest(change: Change, portal: PortalApi) -> None:
        items = portal.list("crm.item.list", entityTypeId=2, filter={"companyId": 1, "!id": 4})
        found = {item["id"]: item["stageId"] async for item in items}
        deal = await portal.call("crm.item.get", entityTypeId=2, id=change.id)
        by_item[change.id] = found, deal["item"]["stageId"], deal["item"]["comments"]

    won(relay, 1)
    for number in (4, 7, 10):
        relay.portal.put(2, number, title="x", stageId="NEW", companyId=1, updatedTime=LATER)
        relay.event(number, "add")
        relay.settle()
    relay.portal.put(2, 7, companyId=2, stageId="LOSE", updatedTime=LATER)
    relay.event(7)
    relay.settle()
    outcome = rehearsed(guest)
    assert (outcome.left, outcome.document["writes"]) == (False, 0)
    assert by_item["10"] == ({1: "WON", 7: "NEW", 10: "NEW"}, "NEW", None)
    assert by_item["7"][0] == {1: "WON", 10: "NEW"}  # the last run, after it had left the company


def test_what_the_mirror_does_not_hold_is_said(relay, rehearsed, capsys):
    """A read that only the portal could answer ends that change's rehearsal, and is counted."""

    @reaction
    async def guest(change: Change, portal: PortalApi) -> None:
        if change.id == "2":
            await portal.call("crm.status.list", filter={})
        if change.id == "3":
            with suppress(requests.ConnectionError):
                await asyncio.to_thread(requests.post, "https://203.0.113.1/", timeout=1)
        if change.id == "1":
            raise KeyError("title")
        await portal.call("im.notify.system.add", USER_ID=5, MESSAGE="x")

    won(relay, 4)
    outcome = rehearsed(guest)
    assert outcome.left
    out = capsys.readouterr().out
    assert "1 x can't be rehearsed: the reaction asks for crm.status.list" in out
    assert "1 x can't be rehearsed: the reaction asks for another system than the portal" in out
    assert "1 x KeyError: 'title'" in out
    assert "would write 1 time for 1 of 4 changes" in out


def test_only_what_the_filter_lets_through_is_rehearsed(relay, rehearsed):
    """The filter is judged as SNS does it."""

    @reaction
    async def guest(change: Change, portal: PortalApi) -> None:
        await portal.call("im.notify.system.add", USER_ID=int(change.id))

    won(relay, 3)
    policy = {"type": ["com.bitrix24.deal.updated"], "data": {"after": {"companyId": [1]}}}
    assert rehearsed(guest, policy=policy).document["total"] == 1
    assert rehearsed(guest, policy={"data": {"origin": ["relay"]}}).document["total"] == 0


def test_a_change_has_its_past_in_a_rehearsal(relay, rehearsed):
    """`change.history()` is answered from the stack's history."""
    found = []

    @reaction
    async def guest(change: Change, portal: PortalApi) -> None:
        assert portal.requests == 0
        found.append([one.version for one in await change.history()])

    won(relay, 1)
    relay.portal.put(2, 1, title="b", updatedTime=LATER)
    relay.event(1)
    relay.settle()
    rehearsed(guest)
    assert found == [[], [2]]


def test_a_missing_change_is_named_and_the_others_are_rehearsed(relay, rehearsed, capsys):
    """Of an item with a gap nothing is guessed, nor of a list that it may have been in."""

    @reaction
    async def guest(change: Change, portal: PortalApi) -> None:
        if change.id == "2":
            [
                one
                async for one in portal.list("crm.item.list", entityTypeId=2, filter={"title": "x"})
            ]
        await portal.call("im.notify.system.add", USER_ID=int(change.id))

    won(relay, 3)
    relay.portal.put(2, 1, title="b", updatedTime=LATER)
    relay.event(1)
    relay.settle()
    del relay.dynamo.history[max(key for key in relay.dynamo.history if key[0] == "main/deal/1")]
    outcome = rehearsed(guest)
    assert (outcome.left, outcome.document["total"], outcome.document["unknown"]) == (True, 2, 1)
    out = capsys.readouterr().out
    assert "a change of deal/1" in out
    assert "crm.item.list with deal/1, of which a change is missing" in out


def test_changes_of_the_past_are_those_that_were_announced(relay, tables):
    """Put together from the history they equal what was published, but for volatile fields."""
    since = time.time()
    Ordeal(relay, 20, 5).run(200)
    announced = {one.change_id: one for one in changes(relay.topic.published)}
    past = past_of(relay)
    past.dynamodb = tables
    found = Happened(past, "main", since, time.time()).changes(time.time())
    assert {one.change_id for one in found} == set(announced)
    for one in found:
        then = announced[one.change_id]
        assert (one.action, one.changed, one.origin) == (then.action, then.changed, then.origin)
        if not then.truncated:
            assert one.after.get("updatedBy") == then.after.get("updatedBy")
            for name in ("title", "stageId", "ufCrmList"):
                assert one.after.get(name) == then.after.get(name), name
                assert one.before.get(name) == then.before.get(name), name


def test_a_change_that_comes_while_the_history_is_read_is_no_gap(relay, tables):
    """An item that was read after the history is taken with its newest rows."""
    since = time.time()
    won(relay, 3)
    scan, parts = tables.scan, []

    def last_part_is_followed_by_an_edit(**ask):
        found = scan(**ask)
        parts.append(ask["Segment"])
        if len(parts) == ask["TotalSegments"]:
            relay.portal.put(2, 2, title="b", updatedTime=LATER)
            relay.event(2)
            relay.settle()
        return found

    tables.scan = last_part_is_followed_by_an_edit
    past = past_of(relay)
    past.dynamodb = tables
    happened = Happened(past, "main", since, time.time())
    assert [one.id for one in happened.changes(time.time())].count("2") == 1
    assert happened.gaps == {}


def test_product_rows_of_one_owner_are_those_of_then(relay, tables):
    """As `order_summary` asks for them where they are too many for a message."""
    relay.portal.put(2, 1, title="a", productRows=[{"id": 1, "price": 5}], updatedTime=OLD)
    relay.baseline()
    past = past_of(relay)
    past.dynamodb = tables
    world = FormerWorld(past, "main", Happened(past, "main", 0, time.time()), Network())
    asked = {"filter": {"=ownerType": "D", "=ownerId": 1}}
    found = world.answer("crm.item.productrow.list", asked, time.time())
    assert [row["price"] for row in found["productRows"]] == [5]
    with pytest.raises(NotHeldError):
        world.answer("crm.item.productrow.list", {"filter": {"=ownerType": "D"}}, time.time())


def test_a_list_looks_at_those_items_that_had_the_value(relay, rehearsed, monkeypatch):
    """Of sixty deals that changed only those of the company are put together, whoever it is now."""
    looked_at, found = [], {}
    state = FormerWorld._state  # noqa: SLF001

    def counted(world, entity, number, moment):
        looked_at.append(number)
        return state(world, entity, number, moment)

    monkeypatch.setattr(FormerWorld, "_state", counted)

    @reaction
    async def guest(change: Change, portal: PortalApi) -> None:
        items = portal.list("crm.item.list", entityTypeId=2, filter={"companyId": 50})
        found[change.id, change.version] = [item["id"] async for item in items]

    won(relay, 60)
    for company in (50, 51):
        edit(relay, 2, "deal", 7, companyId=company)
    rehearsed(guest)
    assert {one for one, ids in found.items() if ids} == {("7", 3)}
    assert found["7", 3] == [7]
    assert set(looked_at) == {7}


def test_a_list_of_a_time_before_the_mirror_was_filled_is_not_answered(relay, tables):
    """What was in the portal then is not known."""
    began = time.time() - 1
    won(relay, 2)
    past = past_of(relay)
    past.dynamodb = tables
    world = FormerWorld(past, "main", Happened(past, "main", 0, time.time()), Network())
    asked = {"entityTypeId": 2, "filter": {"stageId": "WON"}}
    with pytest.raises(NotHeldError, match="before the mirror had every deal"):
        world.answer("crm.item.list", asked, began)
    assert len(world.answer("crm.item.list", asked, time.time())["items"]) == 2


def test_more_changes_than_the_memory_holds_are_refused(relay, rehearsed, monkeypatch):
    """Four are, where three are the most; the reaction is not run."""
    won(relay, 4)
    monkeypatch.setattr(selection, "MOST_CHANGES", 3)
    with pytest.raises(SystemExit, match="more than 3 changes since then"):
        rehearsed(follow_up, "follow_up")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("crm.status.list", {}),
        ("crm.item.list", {"entityTypeId": 2, "filter": {">opportunity": 5}}),
        ("crm.item.list", {"entityTypeId": 2, "filter": {"0": {"logic": "OR"}}}),
        ("crm.item.list", {"filter": {}}),
        ("crm.item.list", {"entityTypeId": 2, "filter": {"updatedBy": 5}}),
    ],
)
def test_a_read_that_is_not_understood_is_not_answered(relay, tables, method, params):
    """Neither with nothing nor with everything."""
    past = past_of(relay)
    past.dynamodb = tables
    world = FormerWorld(past, "main", Happened(past, "main", 0, time.time()), Network())
    with pytest.raises(NotHeldError):
        world.answer(method, params, time.time())
    with pytest.raises(PermanentError, match="NOT_FOUND"):
        world.answer("crm.item.get", {"entityTypeId": 2, "id": 99}, time.time())


def test_the_network_is_open_again_after_a_rehearsal():
    """Only what is rehearsed is held back."""
    network = Network()
    with network.closed(), pytest.raises(requests.ConnectionError, match="in a rehearsal"):
        requests.get("http://127.0.0.1:9/", timeout=1)
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get("http://127.0.0.1:9/", timeout=1)
    assert asyncio.run(asyncio.sleep(0)) is None
