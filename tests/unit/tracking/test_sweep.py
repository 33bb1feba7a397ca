"""The sweep: leases, kinds, shifts, and when it looks at what."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from relay import settings
from relay.errors import LostLeaseError, OperatorError, PermanentError, TransientError
from relay.tracking import sweep_pass, sweep_plan, wiring
from relay.tracking.event_times import is_silent
from relay.tracking.filter_offset import measure
from relay.tracking.row import ITEM, UNREADABLE
from relay.tracking.sweep_lists import epoch, next_pages
from tests.tracking_aws import OLD, metric
from tests.tracking_portal import ItemsPortal, seconds


def test_a_lost_lease_ends_a_sweep(relay):
    """Whose lease another sweep has taken writes nothing any more."""
    state = wiring.sweep_state()
    assert state.acquire("main", "one", 100, 10) == {}
    assert state.acquire("main", "two", 105, 10) is None
    assert state.acquire("main", "two", 111, 10) == {}
    with pytest.raises(LostLeaseError):
        state.save("main", "one", {})
    relay.dynamo.state["sweep#main"]["lease_until"] = {"N": str(int(time.time()) + 100)}
    assert relay.sweep() == {"main": "under way elsewhere"}


def test_state_passes_other_errors_on(relay, monkeypatch):
    """A table that does not answer is no lease of another."""
    broken = ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")

    def fail(**_):
        raise broken

    monkeypatch.setattr(relay.dynamo, "update_item", fail)
    monkeypatch.setattr(relay.dynamo, "put_item", fail)
    with pytest.raises(ClientError):
        wiring.sweep_state().acquire("main", "one", 100, 10)
    with pytest.raises(ClientError):
        wiring.sweep_state().save("main", "one", {})


def test_a_sweep_that_is_overtaken_stops(relay, monkeypatch):
    """A sweep that finds its lease taken says so and leaves the document alone."""

    def save(*_):
        raise LostLeaseError("another sweep of main has taken over")

    monkeypatch.setattr(wiring.sweep_state(), "save", save)
    assert relay.sweep() == {"main": "another sweep of main has taken over"}


def test_a_sweep_that_fails_goes_on_with_the_next(relay):
    """Where the portal or the queue fails, the next sweep does what is left."""
    for number in range(1, 121):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "")
    assert relay.sweep()["main"].startswith("TransientError")
    relay.portal.trouble.clear()
    relay.queues.full = True
    assert relay.sweep()["main"].startswith("StateError")
    relay.queues.full = False
    relay.baseline()
    assert len(relay.dynamo.mirror) == 120


def test_a_portal_whose_webhook_can_not_be_read_is_said(relay, monkeypatch):
    """Without a client there is a reason, and nothing else."""

    def broken(*_):
        raise OperatorError("webhook", "NONE")

    monkeypatch.setattr(wiring, "portal", broken)
    assert relay.sweep() == {"main": "OperatorError: webhook: NONE"}


def test_a_sweep_that_ends_says_so(relay, capsys, monkeypatch):
    """Its silence raises an alarm; a stack that is not connected yet raises none."""
    relay.sweep()
    assert metric(capsys, "swept") == 1
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "")
    relay.sweep()
    assert metric(capsys, "swept") == 0
    monkeypatch.setattr(settings, "secrets", lambda _branch: {})
    relay.sweep()
    assert metric(capsys, "swept") == 1


def test_a_sweep_at_rest_costs_one_request(relay):
    """Clock and lists of all kinds travel together."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.sweep()
    relay.portal.requests = 0
    relay.sweep()
    assert relay.portal.requests == 1


def test_kinds_that_are_refused_are_left_out(relay):
    """Leads switched off, no task scope, no smart processes: the others are swept."""
    relay.portal.trouble["crm.item.list", 1] = PermanentError("crm.item.list", "ACCESS_DENIED")
    relay.portal.trouble["tasks.task.list", 0] = OperatorError("tasks", "insufficient_scope")
    relay.portal.trouble["crm.type.list", 0] = PermanentError("crm.type.list", "ACCESS_DENIED")
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    document = wiring.sweep_state().read("main")
    assert set(document["entities"]) == {"deal", "contact", "company", "quote", "invoice"}
    relay.portal.trouble["crm.item.list", 3] = PermanentError("crm.item.list", "ACCESS_DENIED")
    assert relay.sweep() == {"main": "done"}
    document = wiring.sweep_state().read("main")
    assert sweep_plan.progress(document)["contact"] == sweep_plan.REFUSED
    document["asked"] = 0
    relay.dynamo.state["sweep#main"]["document"]["S"] = json.dumps(document)
    relay.portal.trouble.clear()
    assert relay.sweep() == {"main": "done"}
    assert sweep_plan.progress(wiring.sweep_state().read("main"))["contact"] == "done"


def test_a_blocked_portal_is_not_a_refused_kind(relay):
    """An error of the whole portal ends the sweep."""
    for method, number in (("crm.type.list", 0), ("crm.item.list", 2), ("crm.item.list", 3)):
        relay.portal.trouble = {(method, number): OperatorError(method, "OVERLOAD_LIMIT")}
        assert "OVERLOAD_LIMIT" in relay.sweep()["main"]


def test_many_smart_processes_are_listed(relay):
    """Types come in pages of 50."""
    pages = [[{"entityTypeId": 128 + 2 * n} for n in range(50)], [{"entityTypeId": 1030}]]
    answer = relay.portal.answer

    def paged(method, params):
        if method == "crm.type.list":
            return {"types": pages[params["start"] // 50]}
        return answer(method, params)

    relay.portal.answer = paged
    for number in (*range(128, 228, 2), 1030):
        relay.portal.items[number] = {}
    relay.sweep()
    assert "dynamic_1030" in wiring.sweep_state().read("main")["entities"]


def test_a_baseline_that_stalls_is_hinted_again(relay):
    """Hints that were lost are repeated once no progress is seen, and quietly."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.sweep()
    relay.queues.messages.clear()
    for _ in range(2):
        relay.sweep()
        assert not relay.queues.bodies("track")
    document = wiring.sweep_state().read("main")
    assert sweep_plan.progress(document)["deal"] == "0 of 2"
    relay.sweep()
    assert relay.settle() == []
    assert len(relay.dynamo.mirror) == 2


def test_once_a_week_everything_is_read(relay):
    """A reconcile hints at every item, whatever its time says."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2][1]["title"] = "changed without a new time"
    row_of_state = relay.dynamo.state["sweep#main"]
    document = json.loads(row_of_state["document"]["S"])
    document["entities"]["deal"]["reconciled"] = 0
    row_of_state["document"]["S"] = json.dumps(document)
    relay.sweep()
    assert [one["data"]["changed"] for one in relay.settle()] == [["title"]]


def test_changes_without_events_raise_the_alarm(relay, capsys):
    """A webhook that sends nothing for hours while things change is called dead."""
    now = time.time()
    wiring.seen().note("main", {"deal"}, now - 7 * 3600)
    wiring.seen().note("main", {"missed"}, now)
    relay.sweep()
    assert '"silent":[1.0]' in capsys.readouterr().out
    assert not is_silent({"deal": now - 60, "missed": now}, now, 6)


@pytest.mark.parametrize("hours", [0, 3, -5, 5.75])
def test_a_shifted_filter_is_measured(hours):
    """The shift that is found is what has to be added."""
    portal = ItemsPortal((2,))
    portal.put(2, 1, updatedTime=OLD)
    portal.filter_shift = hours * 3600
    updated = datetime.fromtimestamp(seconds(OLD), UTC)
    assert asyncio.run(measure(portal, "deal", 1, updated)) == -hours * 3600


def test_a_shift_that_can_not_be_seen_stays_unknown():
    """An item that is gone, or that changes meanwhile, measures nothing."""
    portal = ItemsPortal((2,))
    updated = datetime.fromtimestamp(seconds(OLD), UTC)
    assert asyncio.run(measure(portal, "deal", 1, updated)) is None
    portal.put(2, 1, updatedTime=OLD)
    assert asyncio.run(measure(portal, "deal", 1, updated + timedelta(seconds=1))) is None


def test_an_unmeasured_shift_is_measured_later(relay):
    """A measurement that failed is tried with the next sweep."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    assert wiring.sweep_state().read("main")["shift"]["crm"][0] == 0


def test_a_chain_that_breaks_is_continued():
    """What comes before a command that failed is kept; a chain that fails at once is an error."""
    portal = ItemsPortal((2,))
    for number in range(1, 201):
        portal.put(2, number, updatedTime=OLD)
    answer, calls = portal.answer, []

    def failing(method, params):
        calls.append(method)
        if len(calls) == 3:
            raise PermanentError(method, "ODD")
        return answer(method, params)

    portal.answer = failing
    page = asyncio.run(next_pages(portal, "deal", 0, None))
    assert (len(page.items), page.last) == (100, 100)
    portal.answer = lambda method, _params: (_ for _ in ()).throw(PermanentError(method, "ODD"))
    with pytest.raises(PermanentError):
        asyncio.run(next_pages(portal, "deal", 0, None))


def test_a_full_chain_goes_on_after_its_last_page():
    """2,500 items are one request, and there may be more."""
    portal = ItemsPortal((2,))
    for number in range(1, 2601):
        portal.put(2, number, updatedTime=OLD)
    page = asyncio.run(next_pages(portal, "deal", 0, None))
    assert (len(page.items), page.last) == (2500, 2500)


def test_times_that_are_none_are_the_beginning():
    """An item without a time of change is never known."""
    assert epoch("") == 0


def test_a_daily_audit_finds_what_is_gone(relay):
    """A deletion below the last twenty is found by the comparison of all ids."""
    for number in range(1, 61):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    del relay.portal.items[2][7]
    relay.sweep()
    assert relay.settle() == []
    state = relay.dynamo.state["sweep#main"]
    document = json.loads(state["document"]["S"])
    document["entities"]["deal"]["audited"] -= 90_000
    state["document"]["S"] = json.dumps(document)
    relay.sweep()
    assert [one["type"] for one in relay.settle()] == ["com.bitrix24.deal.deleted"]


def test_what_has_just_changed_is_left_to_its_event(relay, monkeypatch):
    """Within the seconds of grace a sweep does not take up a change; the next one does."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    now = datetime.now(UTC)
    relay.portal.put(2, 1, title="b", updatedTime=now.isoformat(timespec="seconds"))
    monkeypatch.setenv("GRACE_SECONDS", "30")
    relay.sweep()
    assert relay.settle() == []
    monkeypatch.setenv("GRACE_SECONDS", "0")
    relay.sweep()
    assert len(relay.settle()) == 1


def test_an_item_without_a_time_is_always_looked_at(relay):
    """Where the portal tells no time of change, nothing can be known."""
    relay.portal.put(2, 1, title="a", updatedTime="")
    relay.sweep()
    relay.settle()
    assert wiring.sweep_state().read("main")["shift"] == {}


def test_a_portal_that_is_blocked_in_the_middle_is_swept_later(relay):
    """An error of the whole portal in a list ends the sweep; the next one does its lists."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.trouble["crm.item.list", 2] = OperatorError("crm.item.list", "OVERLOAD_LIMIT")
    assert "OVERLOAD_LIMIT" in relay.sweep()["main"]
    relay.portal.trouble.clear()
    assert relay.sweep() == {"main": "done"}


def test_a_kind_that_went_is_kept_for_its_return(relay):
    """A smart process that is gone is not listed, until the types say that it is back."""
    relay.portal.items[128] = {}
    relay.baseline()
    kept = relay.portal.items.pop(128)
    state = relay.dynamo.state["sweep#main"]
    for expected in (sweep_plan.REFUSED, sweep_plan.REFUSED, "done"):
        document = json.loads(state["document"]["S"])
        document["asked"] = 0
        state["document"]["S"] = json.dumps(document)
        relay.sweep()
        relay.portal.calls.clear()
        relay.sweep()
        state = relay.dynamo.state["sweep#main"]
        document = wiring.sweep_state().read("main")
        assert sweep_plan.progress(document)["dynamic_128"] == expected
        if expected == sweep_plan.REFUSED and kept is not None:
            assert not any(params.get("entityTypeId") == 128 for _, params in relay.portal.calls)
            relay.portal.items |= {128: kept} if "once" in relay.received else {}
            relay.received["once"] = 1


def test_a_measurement_without_a_result_is_repeated(relay, monkeypatch):
    """An item that changed while it was measured measures nothing."""

    async def nothing(*_):
        return None

    monkeypatch.setattr(sweep_pass, "measure", nothing)
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    assert wiring.sweep_state().read("main")["shift"] == {}


def test_of_two_sweeps_at_once_one_works(relay, monkeypatch):
    """The other says so, asks the portal for nothing, and every item is hinted at once."""
    for number in range(1, 121):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    answer = relay.portal.answer
    said = []

    def while_asked(method, params):
        if method == "server.time":
            asked = relay.portal.requests
            with ThreadPoolExecutor(1) as second:
                said.append(second.submit(relay.sweep).result())
            assert relay.portal.requests == asked
        return answer(method, params)

    monkeypatch.setattr(relay.portal, "answer", while_asked)
    assert relay.sweep() == {"main": "done"}
    assert said == [{"main": "under way elsewhere"}]
    hinted = [one for body in relay.queues.bodies("track") for one in json.loads(body)["ids"]]
    assert sorted(hinted) == list(range(1, 121))


def test_a_sweep_that_was_thought_dead_gives_way(relay, monkeypatch):
    """It ends at its next step; the one that took over hints at everything, and its word stays."""
    for number in range(1, 121):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    answer = relay.portal.answer
    said = []

    def while_asked(method, params):
        if method == "server.time" and not said:
            said.append("asked")
            relay.dynamo.state["sweep#main"]["lease_until"] = {"N": "1"}  # it stood still for long
            with ThreadPoolExecutor(1) as second:
                said.append(second.submit(relay.sweep).result())
        return answer(method, params)

    monkeypatch.setattr(relay.portal, "answer", while_asked)
    assert relay.sweep() == {"main": "another sweep of main has taken over"}
    assert said[1] == {"main": "done"}
    assert relay.dynamo.state["sweep#main"]["lease_until"] == {"N": "0"}
    hinted = {one for body in relay.queues.bodies("track") for one in json.loads(body)["ids"]}
    assert hinted == set(range(1, 121))
    assert relay.settle() == []


def two_portals(monkeypatch):
    """Connect two portals; returns them by name."""
    portals = {"a": ItemsPortal(), "b": ItemsPortal()}
    for portal in portals.values():
        portal.clock = time.time
        for number in range(1, 121):
            portal.put(2, number, title="x", updatedTime=OLD)
    monkeypatch.setattr(settings, "secrets", lambda _branch: dict.fromkeys(portals, "a URL"))
    monkeypatch.setattr(wiring, "portal", lambda name, _remaining: portals[name])
    return portals


@pytest.mark.parametrize("step", ["acquire", "save", "last save", "report"])
def test_a_portal_in_trouble_leaves_the_others_swept(relay, monkeypatch, capsys, step):
    """Whichever step of one portal's sweep meets a broken table, the other's sweep is done."""
    two_portals(monkeypatch)
    broken = ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")
    update, put, get = relay.dynamo.update_item, relay.dynamo.put_item, relay.dynamo.get_item

    def fails(name, item=None):
        last = item is None or item["lease_until"] == {"N": "0"}
        return name == "sweep#a" and (step == "save" or (step == "last save" and last))

    def update_item(*, Key, **ask):  # noqa: N803
        if step == "acquire" and Key["pk"]["S"] == "sweep#a":
            raise broken
        return update(Key=Key, **ask)

    def put_item(*, Item, **ask):  # noqa: N803
        if fails(Item["pk"]["S"], Item):
            raise broken
        return put(Item=Item, **ask)

    def get_item(*, Key, **ask):  # noqa: N803
        if step == "report" and Key["pk"]["S"] == "seen#a":
            raise broken
        return get(Key=Key, **ask)

    monkeypatch.setattr(relay.dynamo, "update_item", update_item)
    monkeypatch.setattr(relay.dynamo, "put_item", put_item)
    monkeypatch.setattr(relay.dynamo, "get_item", get_item)
    said = relay.sweep()
    assert said["b"] == "done"
    assert said["a"] == "done" if step == "report" else said["a"].startswith("ClientError")
    assert metric(capsys, "swept") == 1 + (step == "report")
    assert json.loads(relay.dynamo.state["sweep#b"]["document"]["S"])["jobs"] == []


def test_a_kind_that_fails_leaves_the_others_swept(relay, capsys):
    """A list that must wait is continued and the other kinds are swept anew, sweep by sweep."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.portal.put(3, 1, name="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.trouble["crm.item.list", 3] = TransientError("crm.item.list", "X")
    later = datetime.now(UTC).isoformat(timespec="seconds")
    for title in ("b", "c"):
        relay.portal.put(2, 1, title=title, updatedTime=later)
        assert relay.sweep()["main"].startswith("TransientError")
        assert metric(capsys, "unfinished") == 1
        assert [one["data"]["after"]["title"] for one in relay.settle()] == [title]
    relay.portal.put(3, 1, name="b", updatedTime=later)
    relay.portal.trouble.clear()
    assert relay.sweep() == {"main": "done"}
    assert [one["subject"] for one in relay.settle()] == ["contact/1"]


def test_a_mistake_of_ours_refuses_no_kind(relay, capsys):
    """An answer that means neither off nor forbidden is counted, and its list begins anew."""
    for number in (2, 3):
        relay.portal.put(number, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.trouble["crm.item.list", 2] = PermanentError("crm.item.list", "INVALID_ARG_VALUE")
    state = relay.dynamo.state["sweep#main"]
    document = json.loads(state["document"]["S"])
    for kind in ("deal", "contact"):
        document["entities"][kind]["swept"] = before = document["asked"] - 60
    state["document"]["S"] = json.dumps(document)
    for _ in range(2):
        assert "INVALID_ARG_VALUE" in relay.sweep()["main"]
        assert metric(capsys, "unfinished") == 1
        document = wiring.sweep_state().read("main")
        assert sweep_plan.progress(document)["deal"] == "done"
        assert document["entities"]["deal"]["swept"] == before
        assert document["entities"]["contact"]["swept"] > before
        assert document["jobs"] == []
    relay.portal.trouble.clear()
    assert relay.sweep() == {"main": "done"}
    assert wiring.sweep_state().read("main")["entities"]["deal"]["swept"] > before


def test_types_that_can_not_be_listed_stay(relay):
    """While the portal answers neither yes nor no, kinds that were offered still are."""
    relay.portal.items[128] = {}
    relay.baseline()
    for method, number in (("crm.type.list", 0), ("crm.item.list", 3)):
        relay.portal.trouble[method, number] = PermanentError(method, "ODD")
    state = relay.dynamo.state["sweep#main"]
    document = json.loads(state["document"]["S"])
    document["asked"] = 0
    state["document"]["S"] = json.dumps(document)
    assert "ODD" in relay.sweep()["main"]
    progress = sweep_plan.progress(wiring.sweep_state().read("main"))
    assert (progress["dynamic_128"], progress["contact"]) == ("done", "done")


def test_what_an_earlier_sweep_left_of_a_refused_kind_is_dropped(relay):
    """Lists of a kind that is gone hold nothing up."""
    relay.baseline()
    state = relay.dynamo.state["sweep#main"]
    document = json.loads(state["document"]["S"])
    document["jobs"] = [{"entity": "deal", "after": 0, "since": None, "mode": "new", "found": 0,
                         "lacking": 0, "top": 0}]  # fmt: skip
    document["entities"]["deal"]["refused"] = True
    state["document"]["S"] = json.dumps(document)
    assert relay.sweep() == {"main": "done"}
    assert wiring.sweep_state().read("main")["jobs"] == []


def edit_document(relay, **times):
    """Change what a sweep's document says of deals."""
    state = relay.dynamo.state["sweep#main"]
    document = json.loads(state["document"]["S"])
    document["entities"]["deal"] |= times
    state["document"]["S"] = json.dumps(document)


def test_a_sweep_finds_what_changed_as_the_clocks_did(relay):
    """A filter that is read an hour later than was measured leaves nothing out."""
    for number in range(1, 41):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.sweep()
    assert wiring.sweep_state().read("main")["shift"]["crm"][0] == 0
    relay.portal.filter_shift = 3600
    now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
    relay.portal.put(2, 1, title="b", updatedTime=now)
    relay.sweep()
    assert [one["subject"] for one in relay.settle()] == ["deal/1"]


@pytest.mark.parametrize("due", ["audited", "reconciled"])
def test_what_could_not_be_read_is_looked_at_when_it_is_listed(relay, due):
    """A right that comes back changes no item's time: the daily audit finds it, as the weekly."""
    for number in range(1, 41):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.forbidden.add((2, 1))
    relay.event(1)
    relay.track_all()
    assert relay.dynamo.mirror["main/deal", 1]["kind"] == {"S": UNREADABLE}
    relay.portal.forbidden.clear()
    edit_document(relay, **{due: 0})
    relay.sweep()
    relay.track_all()
    assert relay.dynamo.mirror["main/deal", 1]["kind"] == {"S": ITEM}


def test_a_refused_kinds_time_stays():
    """What changes while a kind is refused is found from where it was left."""
    entity = {"swept": 5, "audited": 5, "reconciled": 5, "top": 7, "refused": True}
    document = {"entities": {"deal": dict(entity)}}
    for mode in (sweep_plan.CHANGED, sweep_plan.NEW, sweep_plan.AUDIT, sweep_plan.RECONCILE):
        sweep_plan.finish(document, [{"entity": "deal", "mode": mode, "clock": 99, "top": 9}])
    assert document["entities"]["deal"] == entity
