"""What goes wrong on the way, one by one."""

import asyncio
import copy
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from relay import settings
from relay.errors import OperatorError, PermanentError, TransientError
from relay.tracking import brake as brake_module
from relay.tracking import difference as difference_module
from relay.tracking import look as look_module
from relay.tracking import mirror as mirror_module
from relay.tracking import parts, walk
from relay.tracking.announce import to_change
from relay.tracking.difference import change_of
from relay.tracking.hint import Hint
from relay.tracking.kinds import entity_of
from relay.tracking.listing import epoch, next_pages
from relay.tracking.look import Rules
from relay.tracking.mirror import Mirror
from relay.tracking.row import ITEM, TOMBSTONE, UNREADABLE, Base, Key, Look, NewerFormatError, Row
from relay.tracking.shift import measure
from relay.tracking.state import LostLeaseError, is_silent, is_subscribed
from tests.tracking_aws import URL, Context, refused
from tests.tracking_portal import ItemsPortal, seconds

OLD = "2026-01-01T12:00:00+03:00"
KEY = Key("main", "deal", 1)


def row(**changes):
    """Return a row of the mirror."""
    fields = {
        "key": KEY, "seq": 1, "born": "b", "format": 1, "kind": ITEM, "text": '{"title":"a"}',
        "updated": "", "read_at": 1.0, "via": "event", "quiet": False,
    }  # fmt: skip
    return Row(**fields | changes)


def edited(relay, count=1):
    """Let deals be edited and read, and return their stream records."""
    for number in range(1, count + 1):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    for number in range(1, count + 1):
        relay.portal.put(2, number, title="b")
        relay.event(number)
    relay.track_all()
    # Puts run in threads, so the records of several items come in any order.
    found = relay.dynamo.stream[-count:]
    return sorted(found, key=lambda one: int(one["dynamodb"]["NewImage"]["id"]["N"]))


def test_a_failed_entry_is_published_once_more(relay):
    """What SNS did not take of a group is repeated alone."""
    records = edited(relay, 12)
    relay.topic.fail_entries = [{2, 5}]
    assert relay.announce.handler({"Records": records}, Context) == {"batchItemFailures": []}
    assert len({one["id"] for one in relay.topic.published}) == 12
    assert relay.topic.calls == 3


def test_from_the_first_failed_record_on_everything_comes_again(relay):
    """A record that SNS does not take twice is where the stream goes on."""
    records = edited(relay, 12)
    relay.topic.fail_entries = [{3, 4}, {0}]
    answer = relay.announce.handler({"Records": records}, Context)
    number = records[3]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}


def test_sns_away_loses_nothing(relay):
    """While SNS is down the batch comes again, whole."""
    records = edited(relay)
    relay.topic.down = True
    answer = relay.announce.handler({"Records": records}, Context)
    assert len(answer["batchItemFailures"]) == 1
    relay.topic.down = False
    assert relay.announce.handler({"Records": records}, Context) == {"batchItemFailures": []}


def test_a_poison_record_is_set_aside_whole(relay):
    """A row that can't be understood goes into a queue of its own, the others are announced."""
    first, second = copy.deepcopy(edited(relay, 2))
    first["dynamodb"]["NewImage"]["content"]["S"] = "{"
    answer = relay.announce.handler({"Records": [first, second]}, Context)
    assert answer == {"batchItemFailures": []}
    (kept,) = relay.queues.bodies("dead")
    assert json.loads(kept) == first
    assert [one["subject"] for one in relay.topic.published] == ["deal/2"]
    relay.queues.full = True
    answer = relay.announce.handler({"Records": [first, second]}, Context)
    assert answer["batchItemFailures"][0]["itemIdentifier"] == first["dynamodb"]["SequenceNumber"]


def test_newer_rows_are_left_for_newer_code(relay):
    """A record of a format that this code does not know stops the batch there."""
    first, second = copy.deepcopy(edited(relay, 2))
    second["dynamodb"]["NewImage"]["format"] = {"N": "99"}
    answer = relay.announce.handler({"Records": [first, second]}, Context)
    number = second["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}
    assert len(relay.topic.published) == 1
    relay.dynamo.mirror["main/deal", 1]["format"] = {"N": "99"}
    relay.event(1)
    relay.track_all()
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_a_removed_row_is_no_change(relay):
    """Somebody who deletes a row by hand deletes no deal."""
    one = {"dynamodb": {"OldImage": edited(relay)[0]["dynamodb"]["NewImage"]}}
    assert to_change(one) is None


def test_large_changes_travel_in_groups_that_fit(relay):
    """Ten Changes of 100 KB take several requests, each below SNS's limit."""
    for number in range(1, 11):
        relay.portal.put(2, number, title="a", comments="x" * 50_000, updatedTime=OLD)
    relay.baseline()
    for number in range(1, 11):
        relay.portal.put(2, number, comments="y" * 50_000)
        relay.event(number)
    assert len(relay.settle()) == 10
    assert relay.topic.calls == 5


def test_an_oversized_item_says_which_fields_changed(relay):
    """Beyond DynamoDB's and SNS's limits a Change names what it could not carry."""
    relay.portal.put(2, 1, comments="x" * 500_000, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, comments="y" * 500_000)
    relay.event(1)
    (change,) = relay.settle()
    assert change["data"]["changed"] == ["comments"]
    assert change["data"]["truncated"] == ["comments"]
    assert change["data"]["after"]["title"] == "a"
    relay.portal.put(2, 1, comments="z" * 200_000)
    relay.event(1)
    (change,) = relay.settle()
    assert change["data"]["truncated"] == ["comments"]


def test_a_change_leaves_out_its_largest_fields(monkeypatch):
    """What is too much for one message is named, the largest first."""
    monkeypatch.setattr(difference_module, "CHANGE_BYTES", 60)
    new = row(seq=2, text=json.dumps({"a": "x" * 40, "b": "y" * 20, "c": 1}))
    change = change_of(row(text='{"a":1}'), new)
    assert change.truncated == ("a",)
    assert change.after == {"b": "y" * 20, "c": 1}
    assert change.changed == ("a", "b", "c")
    monkeypatch.setattr(difference_module, "CHANGE_BYTES", 0)
    assert change_of(row(text='{"a":1}'), new).truncated == ("a", "b", "c")


@pytest.mark.parametrize(
    ("old", "new", "action"),
    [
        (None, row(), "added"),
        (None, row(quiet=True), None),
        (None, row(kind=TOMBSTONE, text=""), None),
        (row(), row(kind=UNREADABLE), None),
        (row(kind=UNREADABLE), row(text='{"title":"b"}'), "updated"),
        (row(kind=UNREADABLE, text=""), row(), None),
        (row(kind=UNREADABLE), row(kind=TOMBSTONE, text=""), "deleted"),
        (row(kind=TOMBSTONE, text=""), row(), "added"),
        (row(), row(), None),
    ],
)
def test_what_lies_between_two_rows(old, new, action):
    """Each pair of images is announced as what it means, or not at all."""
    change = change_of(old, new)
    assert (change and change.action) == action


def test_an_older_row_is_converted_before_it_is_compared(monkeypatch):
    """A field that an upgrade began to store is no difference."""
    upgrades = {1: lambda form, beside: form | {"new": beside["new"]}}
    monkeypatch.setattr("relay.tracking.projection.UPGRADES", upgrades)
    monkeypatch.setattr("relay.tracking.row.FORMAT", 2)
    new = row(format=2, text='{"title":"a","new":1}')
    assert change_of(row(), new) is None
    with pytest.raises(NewerFormatError):
        _ = row(format=3).form


def test_the_brake_counts_over_all_functions(relay, monkeypatch):
    """Who counts at the same time as another lets nothing through."""
    held = parts.brake()
    assert held.take("main", 5, 1000, 7200) == 5
    monkeypatch.setattr(relay.dynamo, "update_item", lambda **_: (_ for _ in ()).throw(refused()))
    assert held.take("main", 5, 1000, 7200) == 0
    broken = ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")
    monkeypatch.setattr(relay.dynamo, "update_item", lambda **_: (_ for _ in ()).throw(broken))
    with pytest.raises(ClientError):
        held.take("main", 5, 1000, 7200)
    assert brake_module.LEAST == 20


def test_a_second_conflict_comes_back(relay, monkeypatch):
    """Should two looks not be enough, the hint is kept."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()

    def meddle(_look, base):
        return row(seq=base.seq + 1, text='{"title":"z"}')

    monkeypatch.setattr(parts.mirror(), "put_one", meddle)
    monkeypatch.setattr(look_module, "verdict", lambda *_: "look again")
    relay.event(1)
    relay.track_all()
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_a_forbidden_item_is_marked_under_the_same_rule(relay):
    """The mark of what can't be read meets conflicts as any put does."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    look = Look(
        key=KEY, kind=UNREADABLE, text="", updated="", read_at=1.0, via="event", quiet=False
    )
    conflict = parts.mirror().put_one(look, Base(5, "b"))
    assert conflict.seq == 1
    assert parts.mirror().put_one(look, Base(1, "b")) is None
    assert relay.dynamo.mirror["main/deal", 1]["kind"] == {"S": UNREADABLE}


def test_an_item_that_comes_back_while_it_is_confirmed_is_asked_for_again(relay):
    """Gone in the list and by itself, there in the last look: the hint comes back."""
    relay.baseline()
    answer = relay.portal.answer

    def restoring(method, params):
        if method == "crm.item.get":
            relay.portal.put(2, 1, title="back")
            raise PermanentError(method, "NOT_FOUND")
        return answer(method, params)

    relay.portal.answer = restoring
    relay.event(1)
    relay.track_all()
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_a_portal_that_dies_while_absence_is_confirmed_deletes_nothing(relay):
    """Without the last look the hint comes back."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    answer = relay.portal.answer

    def dying(method, params):
        if method == "crm.item.get":
            relay.portal.trouble["crm.item.list", 2] = TransientError(method, "")
        return answer(method, params)

    relay.portal.answer = dying
    del relay.portal.items[2][1]
    relay.event(1)
    assert relay.settle() == []
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_an_empty_answer_to_a_get_is_no_deletion(relay):
    """A portal that says neither yes nor no leaves the row as it is."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    answer = relay.portal.answer
    relay.portal.answer = lambda method, params: (
        [] if method == "crm.item.get" else answer(method, params)
    )
    del relay.portal.items[2][1]
    relay.event(1)
    assert relay.settle() == []
    assert relay.dynamo.mirror["main/deal", 1]["kind"] == {"S": UNREADABLE}


def test_an_item_that_only_get_shows_is_put(relay):
    """What the list left out and the get returns is an item like any other."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b")
    answer = relay.portal.answer
    relay.portal.answer = lambda method, params: (
        {"items": []} if method == "crm.item.list" else answer(method, params)
    )
    relay.event(1)
    assert [one["data"]["changed"] for one in relay.settle()] == [["title"]]


def test_unprocessed_keys_are_asked_for_again(monkeypatch):
    """What DynamoDB had no capacity for is repeated, and not for ever."""
    monkeypatch.setattr(mirror_module.time, "sleep", lambda _seconds: None)

    class Busy:
        calls = 0

        def batch_get_item(self, *, RequestItems):  # noqa: N803
            self.calls += 1
            if self.calls == 3:
                return {"Responses": {}}
            return {"Responses": {}, "UnprocessedKeys": RequestItems}

    client = Busy()
    assert asyncio.run(Mirror(client, "Mirror").bases([KEY])) == {KEY: Base()}
    assert client.calls == 3
    with pytest.raises(TimeoutError):
        asyncio.run(Mirror(client, "Mirror").bases([KEY]))


def test_a_range_is_read_page_by_page():
    """A query goes on where DynamoDB stopped."""

    class Paged:
        def query(self, **ask):
            item = {"pk": {"S": "main/deal"}, "id": {"N": "1"}, "kind": {"S": ITEM},
                    "updated": {"S": ""}, "read_at": {"N": "1"}}  # fmt: skip
            if "ExclusiveStartKey" in ask:
                return {"Items": [item | {"id": {"N": "2"}}]}
            return {"Items": [item], "LastEvaluatedKey": {"id": {"N": "1"}}}

    found = asyncio.run(Mirror(Paged(), "Mirror").range("main", "deal", 0, None))
    assert [key.id for key in found] == [1, 2]


def test_a_lost_lease_ends_a_sweep(relay):
    """Whose lease another sweep has taken writes nothing any more."""
    state = parts.sweep_state()
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
        parts.sweep_state().acquire("main", "one", 100, 10)
    with pytest.raises(ClientError):
        parts.sweep_state().save("main", "one", {})


def test_a_sweep_that_is_overtaken_stops(relay, monkeypatch):
    """A sweep that finds its lease taken says so and leaves the document alone."""

    def save(*_):
        raise LostLeaseError("another sweep of main has taken over")

    monkeypatch.setattr(parts.sweep_state(), "save", save)
    assert relay.sweep() == {"main": "another sweep of main has taken over"}


def test_a_sweep_that_fails_goes_on_with_the_next(relay):
    """Where the portal or the queue fails, the next sweep does what is left."""
    for number in range(1, 121):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "")
    assert relay.sweep()["main"].startswith("TransientError")
    relay.portal.trouble.clear()
    relay.queues.full = True
    assert relay.sweep()["main"].startswith("ConnectionError")
    relay.queues.full = False
    relay.baseline()
    assert len(relay.dynamo.mirror) == 120


def test_a_portal_whose_webhook_can_not_be_read_is_said(relay, monkeypatch):
    """Without a client there is a reason, and nothing else."""

    def broken(*_):
        raise OperatorError("webhook", "NONE")

    monkeypatch.setattr(parts, "portal", broken)
    assert relay.sweep() == {"main": "OperatorError: webhook: NONE"}


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
    document = parts.sweep_state().read("main")
    assert set(document["entities"]) == {"deal", "contact", "company", "quote", "invoice"}
    relay.portal.trouble["crm.item.list", 3] = PermanentError("crm.item.list", "ACCESS_DENIED")
    assert relay.sweep() == {"main": "done"}
    document = parts.sweep_state().read("main")
    assert walk.progress(document)["contact"] == walk.REFUSED
    document["asked"] = 0
    relay.dynamo.state["sweep#main"]["document"]["S"] = json.dumps(document)
    relay.portal.trouble.clear()
    assert relay.sweep() == {"main": "done"}
    assert walk.progress(parts.sweep_state().read("main"))["contact"] == "done"


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
    assert "dynamic_1030" in parts.sweep_state().read("main")["entities"]


def test_a_baseline_that_stalls_is_hinted_again(relay):
    """Hints that were lost are repeated once no progress is seen, and quietly."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.sweep()
    relay.queues.messages.clear()
    for _ in range(2):
        relay.sweep()
        assert not relay.queues.bodies("track")
    document = parts.sweep_state().read("main")
    assert walk.progress(document)["deal"] == "0 of 2"
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
    parts.seen().note("main", {"deal"}, now - 7 * 3600)
    parts.seen().note("main", {"missed"}, now)
    relay.sweep()
    assert '"silent":[1.0]' in capsys.readouterr().out
    assert not is_silent({"deal": now - 60, "missed": now}, now, 6)


def test_kinds_without_a_subscription_miss_nothing():
    """Where events of other kinds come, one that never sent any is not subscribed."""
    assert is_subscribed({}, "deal", 100)
    assert is_subscribed({"deal": 50}, "deal", 100)
    assert not is_subscribed({"deal": 50}, "contact", 100)


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
    assert parts.sweep_state().read("main")["shift"]["crm"][0] == 0


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


def test_types_that_no_method_serves_have_no_name():
    """Requisites and old invoices are no kinds of items."""
    assert entity_of(8) is None
    assert entity_of(31) == "invoice"


def test_a_portal_is_read_through_its_reading_webhook(monkeypatch):
    """The client that handlers use holds the URL of the branch `read`."""
    for name, value in {
        "STATE_TABLE": "S", "PORTAL_BURST": "50", "PORTAL_RATE": "2",
        "PORTAL_RESERVE_PERCENT": "10",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    asked = []

    def url(kind, name):
        asked.append((kind, name))
        return "https://demo.bitrix24.example/rest/1/fakesecret0fakesecret/"

    monkeypatch.setattr(settings, "webhook_url", url)
    portal = parts.portal("main", parts.deadline(Context))
    assert asked == [("read", "main")]
    assert portal.webhook.user_id == 1
    assert 290 < parts.deadline(Context)() <= 295


def test_rules_without_a_counter_count_nothing(relay):
    """Who looks without metrics needs none."""
    relay.portal.put(2, 1, title="a")
    rules = Rules(baselined=lambda _entity: True, allow=lambda wanted: wanted)
    failed = asyncio.run(look_module.look({KEY: Hint(KEY)}, relay.portal, parts.mirror(), rules))
    assert failed == {}


@pytest.mark.parametrize("body", ["[]", "{}", '{"type":"x"}', '{"type":"com.bitrix24.relay.hint"}'])
def test_messages_of_nobodys_are_dead_lettered(relay, body):
    """What is neither event nor hint goes away with its reason."""
    relay.send(body)
    relay.track_all()
    assert len(relay.queues.bodies("dead")) == 1


def test_a_conflict_is_settled_by_who_read_later():
    """A later reading, or the same content, ends it; else one more look."""
    look = Look(
        key=KEY, kind=ITEM, text='{"title":"b"}', updated="", read_at=1.0, via="event", quiet=False
    )
    assert mirror_module.verdict(row(seq=3), 1, look) == "done"
    assert mirror_module.verdict(row(seq=2, text='{"title":"b"}'), 1, look) == "done"
    assert mirror_module.verdict(row(seq=2), 1, look) == "look again"
    assert mirror_module.verdict(row(seq=2, format=0, text=look.text), 1, look) == "look again"


def test_a_put_that_fails_returns_its_hint_alone(relay, monkeypatch):
    """A put that DynamoDB refuses for a reason of its own is tried again later."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.portal.put(2, 2, title="a")
    put = relay.dynamo.put_item

    def failing(*, Item, **options):  # noqa: N803
        if Item["id"]["N"] == "1":
            raise ClientError({"Error": {"Code": "Throttled"}}, "PutItem")
        put(Item=Item, **options)

    monkeypatch.setattr(relay.dynamo, "put_item", failing)
    relay.event(1, "add")
    relay.event(2, "add")
    assert [one["subject"] for one in relay.settle()] == ["deal/2"]
    monkeypatch.undo()


def test_patience_grows(relay):
    """A portal that goes on saying "later" is asked ever less often."""
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "X")
    relay.event(1)
    waits = []
    for _ in range(4):
        relay.track_all()
        waits.append(max(relay.queues.waits.values()))
    assert waits == sorted(waits)
    assert waits[-1] > 10 * waits[0] / 2


def test_a_queue_that_does_not_answer_keeps_the_message(relay, monkeypatch):
    """Where visibility can't be changed, the queue's own timeout brings the message back."""
    relay.portal.trouble["crm.item.list", 2] = OperatorError("crm.item.list", "NO_AUTH_FOUND")

    def fail(**_):
        raise ClientError({"Error": {"Code": "Unavailable"}}, "ChangeMessageVisibility")

    monkeypatch.setattr(relay.queues, "change_message_visibility", fail)
    relay.event(1)
    (answer,) = relay.track_all()
    assert len(answer["batchItemFailures"]) == 1


def test_what_no_event_could_announce_is_not_missed(relay, capsys):
    """A change of a kind that is not subscribed, or a move to another funnel, is not counted."""
    relay.portal.put(2, 1, title="a", categoryId=0, updatedTime=OLD)
    relay.portal.put(3, 1, name="a", updatedTime=OLD)
    relay.baseline()
    parts.seen().note("main", {"deal"}, time.time())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    relay.portal.put(2, 1, categoryId=9, updatedTime=now)
    relay.portal.put(3, 1, name="b", updatedTime=now)
    capsys.readouterr()
    relay.sweep()
    assert len(relay.settle()) == 2
    assert "MissedChanges" not in capsys.readouterr().out


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
    assert parts.sweep_state().read("main")["shift"] == {}


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
    for expected in (walk.REFUSED, walk.REFUSED, "done"):
        document = json.loads(state["document"]["S"])
        document["asked"] = 0
        state["document"]["S"] = json.dumps(document)
        relay.sweep()
        relay.portal.calls.clear()
        relay.sweep()
        state = relay.dynamo.state["sweep#main"]
        document = parts.sweep_state().read("main")
        assert walk.progress(document)["dynamic_128"] == expected
        if expected == walk.REFUSED and kept is not None:
            assert not any(params.get("entityTypeId") == 128 for _, params in relay.portal.calls)
            relay.portal.items |= {128: kept} if "once" in relay.received else {}
            relay.received["once"] = 1


def test_a_measurement_without_a_result_is_repeated(relay, monkeypatch):
    """An item that changed while it was measured measures nothing."""

    async def nothing(*_):
        return None

    monkeypatch.setattr(walk, "measure", nothing)
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    assert parts.sweep_state().read("main")["shift"] == {}
