"""Hints become readings and rows."""

import asyncio
import json
import time

from relay.tracking import refresh, wiring
from relay.tracking.hint import Hint
from relay.tracking.part_read import Rules
from relay.tracking.sweep_state import DONE, KindProgress, SweepDocument
from tests.tracking_aws import KEY, OLD, changes, metric, row
from tests.tracking_queues import URL


def test_a_reading_that_was_overtaken_goes_on_with_the_items_birth(relay):
    """The second reading puts its row under the `born` of the row that overtook it."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    put = relay.dynamo.put_item
    relay.portal.put(2, 1, title="c")

    def overtaken(**request):
        relay.dynamo.put_item = put
        row = relay.dynamo.mirror["main/deal", 1]
        put(
            **request
            | {
                "Item": row
                | {"seq": {"N": "2"}, "quiet": {"S": "no"}, "content": {"S": '{"title":"b"}'}}
            }
        )
        return put(**request)

    relay.dynamo.put_item = overtaken
    relay.event(1)
    relay.settle()
    first, second = changes(relay.topic.published[-2:])
    assert (first.after["title"], second.after["title"]) == ("b", "c")
    assert (first.version, second.version) == (2, 3)
    births = {one["dynamodb"]["NewImage"]["born"]["S"] for one in relay.dynamo.stream}
    assert len(births) == 1


def test_mass_disappearance_waits_for_a_release(relay, capsys):
    """Beyond 20 deletions an hour without events, all further ones wait for `make release`."""
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


def test_the_brake_grows_with_the_portal(relay, capsys):
    """A share of the items that there are may vanish, not of those that the first filling found."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    for number in range(2, 501):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
        relay.event(number, "add")
    relay.settle()
    for number in range(1, 101):
        del relay.portal.items[2][number]
    with relay.document() as document:
        document.kinds["deal"].audited_at = 0  # a day passes
    relay.sweep()
    relay.track._documents.clear()  # noqa: SLF001  a minute passes
    assert [one["type"] for one in relay.settle()] == ["com.bitrix24.deal.deleted"] * 25
    assert metric(capsys, "held") == 75


def test_deletions_with_their_events_never_brake(relay):
    """A hundred deletions with events are announced at once."""
    for number in range(1, 101):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2].clear()
    for number in range(1, 101):
        relay.event(number, "delete")
    assert len(relay.settle()) == 100


def test_an_edit_before_the_baseline_is_no_addition(relay):
    """Until the baseline is complete, only an ADD event makes an `added`."""
    relay.portal.put(2, 1, title="old")
    relay.portal.put(2, 2, title="new")
    relay.event(1)
    relay.event(2, "add")
    assert [one["subject"] for one in relay.settle()] == ["deal/2"]
    relay.portal.put(2, 1, title="edited")
    relay.event(1)
    assert [one["data"]["before"] for one in relay.settle()] == [{"title": "old"}]


def test_a_hint_of_the_first_filling_that_comes_late_is_quiet(relay):
    """SQS may bring it once the filling is done: its item was there before."""
    relay.baseline()
    relay.portal.put(2, 1, title="old", updatedTime=OLD)
    hint = {"type": "com.bitrix24.relay.hint", "portal": "main", "entity": "deal"}
    relay.send(json.dumps(hint | {"ids": [1], "baseline": True}))
    assert relay.settle() == []
    relay.portal.put(2, 1, title="new")
    relay.event(1)
    assert [one["type"] for one in relay.settle()] == ["com.bitrix24.deal.updated"]


def test_an_item_is_added_once_however_often_its_event_comes(relay):
    """The first filling found an item before its ADD event, which comes twice."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    for _ in range(2):
        relay.event(1, "add")
        relay.settle()
    assert [one["type"] for one in relay.topic.published] == ["com.bitrix24.deal.added"]


def test_a_part_is_stored_beside_the_items_own_fields(whole):
    """A row has each value once: it is billed by its size."""
    whole.portal.put(2, 1, title="a", updatedTime=OLD)
    whole.portal.set_rows(2, 1, {"productName": "Tea", "price": 5.0, "quantity": 1.0})
    whole.event(1, "add")
    whole.settle()
    row = whole.dynamo.mirror["main/deal", 1]
    assert "productRows" in row["extra"]["S"]
    assert "productRows" not in row["content"]["S"]


def test_recurring_templates_are_left_out(relay):
    """A recurring deal is not mirrored."""
    relay.portal.put(2, 1, title="t", isRecurring="Y", updatedTime=OLD)
    relay.sweep()
    assert relay.queues.bodies("track") == []
    relay.baseline()
    relay.event(1)
    assert relay.settle() == []
    assert relay.dynamo.mirror == {}


def test_a_second_conflict_comes_back(relay, monkeypatch):
    """A hint comes back after its second conflict."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()

    def meddle(own):
        return row(seq=own.seq, text='{"title":"z"}')

    wiring.mirror().put_one = meddle
    monkeypatch.setattr(refresh, "needs_another_reading", lambda *_, **_hint: True)
    relay.event(1)
    relay.track_all()
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_a_counter_is_optional(relay):
    """A refresh works without a function that counts."""
    relay.portal.put(2, 1, title="a")
    rules = Rules(document=SweepDocument({"deal": KindProgress(DONE)}), allow=lambda wanted: wanted)
    failed = asyncio.run(
        refresh.refresh_items({KEY: Hint(KEY)}, relay.portal, wiring.mirror(), rules)
    )
    assert failed == {}


def test_a_vanished_item_is_left_to_its_event_first(relay, monkeypatch):
    """A hundred deals that are edited and deleted at once trip no brake, in any order of events."""
    monkeypatch.setenv("GRACE_SECONDS", "30")
    for number in range(1, 101):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2].clear()
    for number in range(1, 101):
        relay.event(number)
    assert relay.settle() == []
    assert not any(method == "crm.item.get" for method, _ in relay.portal.calls)
    assert all(30 <= wait <= 60 for wait in relay.queues.waits.values())
    for number in range(1, 101):
        relay.event(number, "delete")
    gone = relay.settle()
    assert len(gone) == 100
    assert {one["type"] for one in gone} == {"com.bitrix24.deal.deleted"}
    assert relay.queues.bodies("track") == []
    assert "tripped" not in relay.dynamo.state.get("brake#main", {})


def test_a_deletion_whose_event_never_comes_is_put_at_the_second_receive(relay, monkeypatch):
    """A missing item whose deletion event does not come is put as deleted at the second receive."""
    monkeypatch.setenv("GRACE_SECONDS", "30")
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    del relay.portal.items[2][1]
    relay.event(1)
    assert relay.settle() == []
    (gone,) = relay.settle()
    assert gone["type"] == "com.bitrix24.deal.deleted"


def test_an_event_of_an_item_known_as_deleted_waits_for_nothing(relay, monkeypatch):
    """Late events of deleted items are done at once, and count as no further disappearance."""
    monkeypatch.setenv("GRACE_SECONDS", "30")
    for number in range(1, 41):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2].clear()
    for number in range(1, 41):
        relay.event(number, "delete")
    assert len(relay.settle()) == 40
    for number in range(1, 41):
        relay.event(number)
    assert relay.settle() == []
    assert relay.queues.bodies("track") == []
    assert relay.dynamo.state.get("brake#main") is None
