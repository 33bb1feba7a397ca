"""From a hint to the announced change, through all three handlers."""

import json
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from relay.change import Change
from relay.errors import OperatorError, PermanentError, TransientError
from tests.tracking_aws import OLD, URL, event_message, metric

LATER = datetime.now(UTC).isoformat(timespec="seconds")


def changes(published):
    """Return what was announced as reactions get it."""
    return [Change.from_cloudevent(one) for one in published]


def test_an_edit_is_announced_with_what_changed(relay):
    """An update event leads to one Change with the field before and after."""
    relay.portal.put(2, 662, title="Deal", stageId="NEW", companyId=0, updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 662, stageId="WON", companyId=7, updatedTime=LATER)
    relay.event(662)
    (change,) = changes(relay.settle())
    assert (change.action, change.entity, change.entity_type_id, change.id) == (
        "updated", "deal", 2, "662",
    )  # fmt: skip
    assert change.changed == ("companyId", "stageId")
    assert change.before == {"companyId": None, "stageId": "NEW"}
    assert change.after["title"] == "Deal"
    assert change.moved("stageId", from_="NEW", to="WON")
    assert (change.version, change.via, change.origin) == (2, "event", "portal")


def test_an_edit_that_changes_nothing_announces_nothing(relay):
    """A new time of change and a new editor alone are no change."""
    relay.portal.put(2, 1, title="x", updatedTime=OLD, updatedBy=1)
    relay.baseline()
    relay.portal.put(2, 1, updatedTime=LATER, updatedBy=2)
    relay.event(1)
    assert relay.settle() == []


def test_a_life_is_announced_in_order(relay):
    """Added, updated, deleted, and added anew under the same id: versions go on."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    (added,) = changes(relay.settle())
    relay.portal.put(2, 1, title="b")
    relay.event(1)
    (updated,) = changes(relay.settle())
    del relay.portal.items[2][1]
    relay.event(1, "delete")
    (deleted,) = changes(relay.settle())
    relay.portal.put(2, 1, title="c")
    relay.event(1)
    (again,) = changes(relay.settle())
    assert [one.action for one in (added, updated, deleted, again)] == [
        "added", "updated", "deleted", "added",
    ]  # fmt: skip
    assert [one.version for one in (added, updated, deleted, again)] == [1, 2, 3, 4]
    assert added.before == {}
    assert added.changed == again.changed == ("id", "title")
    assert len({one.change_id.split(".")[3] for one in (added, updated, deleted, again)}) == 1
    assert deleted.after == {}
    assert deleted.before["title"] == "b"
    assert len({one.change_id for one in (added, updated, deleted, again)}) == 4


def test_a_reading_that_was_overtaken_goes_on_with_the_items_birth(relay, monkeypatch):
    """The second look puts its row under the `born` of the row that overtook it."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    put = relay.dynamo.put_item
    relay.portal.put(2, 1, title="c")

    def overtaken(**request):
        monkeypatch.setattr(relay.dynamo, "put_item", put)
        row = relay.dynamo.mirror["main/deal", 1]
        put(
            **request
            | {
                "Item": row
                | {"seq": {"N": "2"}, "quiet": {"S": "no"}, "content": {"S": '{"title":"b"}'}}
            }
        )
        return put(**request)

    monkeypatch.setattr(relay.dynamo, "put_item", overtaken)
    relay.event(1)
    relay.settle()
    first, second = changes(relay.topic.published[-2:])
    assert (first.after["title"], second.after["title"]) == ("b", "c")
    assert (first.version, second.version) == (2, 3)
    births = {one["dynamodb"]["NewImage"]["born"]["S"] for one in relay.dynamo.stream}
    assert len(births) == 1


def test_lost_doubled_and_shuffled_events_announce_each_change_once(relay):
    """Half of 1,000 events lost, a quarter doubled, all shuffled, a sweep: 1,000 announced."""
    for number in range(1, 1001):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    for number in range(1, 1001):
        relay.portal.put(2, number, title="b", updatedTime=LATER)
    numbers = [n for n in range(1, 1001) if n % 2] + [n for n in range(1, 1001) if n % 4 == 1]
    for number in sorted(numbers, key=lambda n: n * 7919 % 1009):
        relay.event(number)
    relay.portal.requests = 0
    first = relay.settle()
    assert len(first) == 500
    assert relay.portal.requests == 1
    relay.sweep()
    ids = [one["data"]["id"] for one in first + relay.settle()]
    assert sorted(map(int, ids)) == list(range(1, 1001))


def test_a_full_batch_costs_one_request(relay):
    """1,000 hints are read with one request of 20 lists, and put."""
    for number in range(1, 1001):
        relay.portal.put(2, number, title="a")
        relay.event(number, "add")
    relay.track_all()
    assert relay.portal.requests == 1
    assert len(relay.dynamo.mirror) == 1000


def test_an_owner_who_lost_all_rights_changes_nothing(relay, capsys):
    """Lists are empty and gets forbidden: no Change, the rows are marked, an alarm's metric."""
    for number in range(1, 61):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.forbidden.add((2, None))
    capsys.readouterr()
    relay.sweep()
    assert relay.settle() == []
    assert metric(capsys, "unreadable") == 20  # the canaries; the audit finds the others
    rows = relay.dynamo.mirror.values()
    assert all("content" in row for row in rows)
    relay.portal.forbidden.clear()
    relay.portal.put(2, 60, title="b")
    relay.sweep()
    assert [one["data"]["changed"] for one in relay.settle()] == [["title"]]


def test_a_deletion_without_an_event_is_confirmed_then_announced(relay):
    """What the list leaves out is asked for by itself, and that its type is there."""
    for number in (1, 2, 3):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    del relay.portal.items[2][3]
    relay.sweep()
    relay.portal.calls.clear()
    (change,) = changes(relay.settle())
    assert change.action == "deleted"
    assert [name for name, _ in relay.portal.calls] == [
        "crm.item.list", "crm.item.get", "crm.item.list",
    ]  # fmt: skip


def test_mass_disappearance_waits_for_a_release(relay, capsys):
    """Beyond 20 within an hour nothing more is deleted, for as long as nobody releases it."""
    for number in range(1, 101):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2].clear()
    for number in range(1, 101):
        relay.event(number)
    assert len(relay.settle()) == 20
    assert metric(capsys, "held") == 80
    assert len(relay.queues.messages[URL + "track"]) == 80
    assert min(relay.queues.waits.values()) >= 720
    assert relay.settle() == []
    brake = relay.sweep_module.wiring.brake()
    assert brake.release("main", time.time())
    assert not brake.release("main", time.time())
    assert len(relay.settle()) == 80
    assert not relay.queues.messages[URL + "track"]


def test_deletions_with_their_events_never_brake(relay):
    """A mass deletion that the portal told is told."""
    for number in range(1, 101):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2].clear()
    for number in range(1, 101):
        relay.event(number, "delete")
    assert len(relay.settle()) == 100


def test_an_edit_before_the_baseline_is_no_addition(relay):
    """Until the first filling is complete, only an ADD event makes an `added`."""
    relay.portal.put(2, 1, title="old")
    relay.portal.put(2, 2, title="new")
    relay.event(1)
    relay.event(2, "add")
    assert [one["subject"] for one in relay.settle()] == ["deal/2"]
    relay.portal.put(2, 1, title="edited")
    relay.event(1)
    assert [one["data"]["before"] for one in relay.settle()] == [{"title": "old"}]


def test_a_failing_command_returns_its_own_hints_only(relay):
    """Of several kinds in a batch, the one whose list fails waits."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.portal.put(3, 1, name="b")
    relay.portal.trouble["crm.item.list", 3] = TransientError("crm.item.list", "X", retry_after=70)
    relay.event(1, "add")
    relay.event(1, "add", entity="contact", type_id=3)
    assert [one["subject"] for one in relay.settle()] == ["deal/1"]
    assert list(relay.queues.waits.values()) == [pytest.approx(80, abs=10)]
    relay.portal.trouble.clear()
    assert [one["subject"] for one in relay.settle()] == ["contact/1"]


@pytest.mark.parametrize(
    ("error", "least"),
    [
        (OperatorError("crm.item.list", "NO_AUTH_FOUND"), 720),
        (TransientError("crm.item.list", "QUERY_LIMIT_EXCEEDED"), 12),
        (ConnectionError("reset"), 30),
    ],
)
def test_what_can_not_be_read_now_waits(relay, error, least):
    """A blocked portal, a limit, a cut line: the message comes back when it makes sense."""
    relay.portal.trouble["crm.item.list", 2] = error
    relay.event(1)
    assert relay.settle() == []
    assert list(relay.queues.messages[URL + "track"])
    assert min(relay.queues.waits.values()) >= least


def test_what_can_never_be_read_is_dead_lettered(relay):
    """A list that the portal refuses for good goes to the dead-letter queue with its reason."""
    relay.portal.trouble["crm.item.list", 2] = PermanentError("crm.item.list", "INVALID_ARG_VALUE")
    relay.event(1)
    relay.send("no JSON")
    relay.settle()
    assert not relay.queues.messages[URL + "track"]
    reasons = [
        options["MessageAttributes"]["reason"]["StringValue"]
        for _, options in relay.queues.messages[URL + "dead"].values()
    ]
    assert len(reasons) == 2
    assert any("INVALID_ARG_VALUE" in reason for reason in reasons)


def test_kinds_that_are_not_mirrored_are_left_alone(relay):
    """A comment's event, an old invoice's and one without an id cost no call."""
    relay.event(1, entity="comment", type_id=None)
    relay.event(1, entity="invoice", type_id=5)
    relay.event(1, entity="dynamic_x", type_id=None)
    relay.event("")
    relay.event(1, "set_status")
    relay.settle()
    assert relay.portal.calls == []
    assert relay.queues.bodies("dead") == relay.queues.bodies("track") == []


def test_smart_processes_and_tasks_are_tracked(relay):
    """An item of a smart process and a task are announced under their names."""
    relay.portal.items[128] = {}
    relay.baseline()
    relay.portal.put(128, 5, title="a")
    relay.portal.put(0, 6, title="b", status="2")
    relay.event(5, "add", entity="dynamic_128", type_id=128)
    relay.event(6, "add", entity="task", type_id=None)
    assert {one["type"] for one in relay.settle()} == {
        "com.bitrix24.dynamic_128.added",
        "com.bitrix24.task.added",
    }


def test_a_type_that_disappeared_takes_nothing_along(relay, capsys):
    """Hints of a deleted smart process are done with; told deletions are announced."""
    relay.portal.items[128] = {}
    relay.portal.put(128, 5, title="a", updatedTime=OLD)
    relay.portal.put(128, 6, title="a", updatedTime=OLD)
    relay.baseline()
    capsys.readouterr()
    del relay.portal.items[128]
    relay.event(5, entity="dynamic_128", type_id=128)
    relay.event(6, "delete", entity="dynamic_128", type_id=128)
    assert [one["type"] for one in relay.settle()] == ["com.bitrix24.dynamic_128.deleted"]
    assert metric(capsys, "gone_type") == 1
    relay.sweep()
    assert relay.settle() == []


def test_a_task_that_is_gone_without_an_event_is_not_called_deleted(relay, capsys):
    """The portal answers the same for a deleted and a forbidden task."""
    relay.portal.put(0, 6, title="b", changedDate=OLD)
    relay.baseline()
    del relay.portal.items[0][6]
    relay.event(6, entity="task", type_id=None)
    assert relay.settle() == []
    assert metric(capsys, "unreadable") == 1


def test_recurring_templates_are_left_out(relay):
    """A deal that only serves to make others from is not mirrored."""
    relay.portal.put(2, 1, title="t", isRecurring="Y", updatedTime=OLD)
    relay.baseline()
    relay.event(1)
    assert relay.settle() == []
    assert relay.dynamo.mirror == {}


def test_dynamodb_away_costs_nothing(relay):
    """While the mirror can't be read or written, hints wait."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    relay.dynamo.trouble = ConnectionError("throttled")
    assert relay.settle() == []
    relay.dynamo.trouble = None
    assert len(relay.settle()) == 1


def test_more_than_a_function_can_do_goes_into_the_next_batch(relay):
    """Hints beyond 2,500 items come back at once."""
    hint = {"type": "com.bitrix24.relay.hint", "portal": "main", "entity": "deal"}
    for number in range(60):
        ids = list(range(number * 50 + 1, number * 50 + 51))
        relay.send(json.dumps(hint | {"ids": ids, "baseline": True}))
    (answer,) = relay.track_all()
    assert len(answer["batchItemFailures"]) == 10
    assert max(relay.queues.waits.values()) <= 2
    assert len(relay.dynamo.mirror) == 2500


def test_a_portal_without_a_webhook_holds_nobody_up(relay, monkeypatch):
    """Of two portals in a batch, the one that can't be read waits."""
    real = relay.track.wiring.portal

    def portal(name, remaining):
        if name == "other":
            raise OperatorError("webhook", "NONE")
        return real(name, remaining)

    monkeypatch.setattr(relay.track.wiring, "portal", portal)
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    relay.event(1, "add", portal="other")
    assert len(relay.settle()) == 1
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_a_message_that_can_wait_is_not_dead_lettered(relay):
    """Where some items of a message can be read later and others never, it waits."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.portal.trouble["crm.item.get", 2] = PermanentError("crm.item.get", "ODD")
    hint = {"type": "com.bitrix24.relay.hint", "portal": "main", "entity": "deal"}
    relay.send(json.dumps(hint | {"ids": [1, 2, 3], "baseline": False}))
    relay.settle()
    assert len(relay.queues.bodies("dead")) == 1
    relay.portal.trouble["crm.item.get", 2] = TransientError("crm.item.get", "")
    relay.send(json.dumps(hint | {"ids": [1, 2, 3], "baseline": False}))
    relay.settle()
    assert len(relay.queues.bodies("track")) == 1


def test_an_item_with_500_user_fields_tells_the_one_that_changed(relay):
    """Of every type, and long ones among them."""
    values = ["x" * 500, 17, "2026-03-01T12:00:00+03:00", ["b", "a"], "1", {"id": 7, "url": "u"}]
    fields = {f"UF_CRM_{number}": values[number % len(values)] for number in range(500)}
    relay.portal.put(2, 1, **fields, updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, UF_CRM_250="other", UF_CRM_249=["a", "b"], UF_CRM_255=["b"])
    relay.event(1)
    (change,) = changes(relay.settle())
    assert change.changed == ("UF_CRM_250", "UF_CRM_255")
    assert change.before == {"UF_CRM_250": "1", "UF_CRM_255": ["a", "b"]}
    assert not change.truncated
    assert sum(name.startswith("UF_") for name in change.after) == 500


@pytest.mark.parametrize("hours", [2, -2])
def test_a_portal_whose_clock_is_hours_off_loses_nothing(relay, hours):
    """What no event told is found by the next sweep, once; what was read is not read again."""
    now = time.time()

    def stamp(at):
        return datetime.fromtimestamp(int(at) + 3600 * hours, UTC).isoformat()

    relay.portal.clock = lambda: time.time() + 3600 * hours
    for number in range(1, 41):  # the last 20 are listed in any case
        relay.portal.put(2, number, title="a", updatedTime=stamp(now - 99))
    relay.baseline()
    relay.sweep()
    relay.track_all()
    relay.portal.put(2, 1, title="b", updatedTime=stamp(now - 9))
    relay.sweep()
    (change,) = changes(relay.settle())
    assert (change.via, change.changed) == ("sweep", ("title",))
    relay.sweep()
    assert relay.queues.bodies("track") == []


def test_what_is_added_while_the_mirror_fills_is_announced_once(relay):
    """An ADD event after the filling's own reading leads to one `added`, however often it comes."""
    for number in range(1, 60):
        relay.portal.put(2, number, title="old", updatedTime=OLD)
    relay.portal.put(2, 100, title="new", updatedTime=LATER)
    relay.sweep()
    assert relay.settle() == []
    relay.event(100, "add")
    relay.event(1)
    (added,) = changes(relay.settle())
    assert (added.action, added.id, added.version, added.before) == ("added", "100", 2, {})
    assert added.after["title"] == "new"
    relay.event(100, "add")
    assert relay.settle() == []
    relay.portal.put(2, 100, title="edited")
    relay.event(100)
    assert [one["data"]["before"] for one in relay.settle()] == [{"title": "new"}]


def test_an_addition_is_announced_after_an_edit_that_overtook_its_event(relay):
    """The row stays open over edits and a time without rights, until the ADD event closes it."""
    relay.portal.put(2, 1, title="a")
    relay.sweep()
    assert relay.settle() == []
    relay.portal.forbidden.add((2, 1))
    relay.event(1)
    assert relay.settle() == []
    relay.portal.forbidden.clear()
    relay.portal.put(2, 1, title="b")
    relay.event(1)
    assert [one.action for one in changes(relay.settle())] == ["updated"]
    relay.event(1, "add")
    (added,) = changes(relay.settle())
    assert (added.action, added.after["title"]) == ("added", "b")


def test_what_was_deleted_is_announced_as_added_once(relay):
    """A tombstone closes a row: what appears after it is added without an ADD event, and once."""
    relay.portal.put(2, 1, title="a")
    relay.sweep()
    assert relay.settle() == []
    del relay.portal.items[2][1]
    relay.event(1, "delete")
    assert [one.action for one in changes(relay.settle())] == ["deleted"]
    relay.portal.put(2, 1, title="b")
    relay.event(1)
    assert [one.action for one in changes(relay.settle())] == ["added"]
    relay.event(1, "add")
    assert relay.settle() == []


DEEP = "[" * 200_000


@pytest.mark.parametrize(
    "body",
    [
        event_message("ONCRMDEALADD", "9" * 39, "add"),
        event_message("ONCRMDEALADD", 2**63, "add"),
        event_message("ONCRMDEALADD", "0", "add"),
        event_message("ONCRMDEALADD", "undefined", "add"),
        json.dumps({"type": "com.bitrix24.relay.hint"}),
        json.dumps({"type": "com.bitrix24.relay.hint", "portal": "main", "entity": 5, "ids": [1],
                    "baseline": False}),
        json.dumps({"type": "com.bitrix24.relay.hint", "portal": "main", "entity": "deal",
                    "ids": [1, -2], "baseline": False}),
        DEEP,
    ],
)  # fmt: skip
def test_a_poison_hint_is_set_aside_alone(relay, body):
    """What names no item goes away with its reason, and what is beside it is tracked."""
    relay.portal.put(2, 7, title="a")
    relay.send(body)
    relay.event(7, "add")
    assert [one["subject"] for one in relay.settle()] == ["deal/7"]
    assert relay.queues.bodies("dead") == [body]
    assert relay.queues.bodies("track") == []


def test_the_largest_id_of_a_portal_is_read(relay):
    """An id is refused only beyond what PHP counts."""
    relay.portal.put(2, 2**63 - 1, title="a")
    relay.event(2**63 - 1, "add")
    assert [one["data"]["id"] for one in relay.settle()] == [str(2**63 - 1)]


def validation_error():
    """Return what DynamoDB answers to a row that it never takes."""
    return ClientError({"Error": {"Code": "ValidationException"}}, "PutItem")


def test_a_key_that_the_table_refuses_is_found_in_its_batch(relay, monkeypatch):
    """Of 100 keys the bad one is set aside with its reason, and the others are tracked."""
    get = relay.dynamo.batch_get_item

    def strict(*, RequestItems):  # noqa: N803
        if any(key["id"]["N"] == "63" for key in RequestItems.get("Mirror", {}).get("Keys", [])):
            raise validation_error()
        return get(RequestItems=RequestItems)

    monkeypatch.setattr(relay.dynamo, "batch_get_item", strict)
    for number in range(1, 101):
        relay.portal.put(2, number, title="a")
        relay.event(number, "add")
    assert len(relay.settle()) == 99
    assert [json.loads(body)["data"]["id"] for body in relay.queues.bodies("dead")] == ["63"]
    assert relay.queues.bodies("track") == []


def test_a_row_that_the_table_refuses_is_set_aside(relay, monkeypatch):
    """An item that makes a row beyond 400 KB is no reason to wait."""
    put = relay.dynamo.put_item

    def strict(*, Item, **options):  # noqa: N803
        if Item.get("id") == {"N": "1"}:
            raise validation_error()
        put(Item=Item, **options)

    monkeypatch.setattr(relay.dynamo, "put_item", strict)
    for number in (1, 2):
        relay.portal.put(2, number, title="a")
        relay.event(number, "add")
    assert [one["subject"] for one in relay.settle()] == ["deal/2"]
    (options,) = [options for _, options in relay.queues.messages[URL + "dead"].values()]
    assert options["MessageAttributes"]["error"]["StringValue"] == "RowError"


def test_an_alarm_that_can_not_be_fed_stops_no_tracking(relay, monkeypatch):
    """Which events came is only for an alarm: items are read without the note."""

    def fail(*_):
        raise ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")

    monkeypatch.setattr(relay.track.wiring.seen(), "note", fail)
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    assert len(relay.settle()) == 1
    assert relay.queues.bodies("track") == []


@pytest.mark.parametrize("waiting", [1, 3])
def test_of_a_message_what_waits_outweighs_what_never_works(relay, waiting):
    """Whichever item comes first: the message waits while one can be read later, then goes."""
    relay.baseline()
    relay.portal.put(2, 2, title="a")
    answer = relay.portal.answer
    late = [TransientError("crm.item.get", "X")]

    def strange(method, params):
        if method == "crm.item.get":
            if params["id"] == waiting and late:
                raise late[0]
            raise PermanentError(method, "ODD")
        return answer(method, params)

    relay.portal.answer = strange
    hint = {"type": "com.bitrix24.relay.hint", "portal": "main", "entity": "deal"}
    relay.send(json.dumps(hint | {"ids": [1, 2, 3], "baseline": False}))
    assert len(relay.settle()) == 1
    assert (len(relay.queues.bodies("track")), relay.queues.bodies("dead")) == (1, [])
    late.clear()
    assert relay.settle() == []
    assert (relay.queues.bodies("track"), len(relay.queues.bodies("dead"))) == ([], 1)


def test_messages_of_one_item_are_answered_together(relay):
    """A DELETE and an UPDATE whose one reading fails both come back."""
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "X")
    relay.event(1, "delete")
    relay.event(1)
    relay.settle()
    assert len(relay.queues.bodies("track")) == 2


def test_a_hint_that_waited_for_its_event_is_judged_among_fresh_ones(relay, monkeypatch):
    """Of merged hints one that was there before is enough to judge absence."""
    monkeypatch.setenv("GRACE_SECONDS", "30")
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    del relay.portal.items[2][1]
    relay.event(1)
    assert relay.settle() == []
    fresh = {"fresh": (event_message("ONCRMDEALUPDATE", 1, "update"), {})}
    relay.queues.messages[URL + "track"] = fresh | relay.queues.messages[URL + "track"]
    assert [one["type"] for one in relay.settle()] == ["com.bitrix24.deal.deleted"]
