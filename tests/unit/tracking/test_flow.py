"""From a hint to the announced Change, through all three handlers."""

import time
from datetime import UTC, datetime

import pytest

from tests.tracking_aws import LATER, OLD, changes


def test_an_edit_is_announced_with_its_changed_fields(relay):
    """An update event leads to one Change with each changed field before and after."""
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
    """A new time of change and a new editor alone make no Change."""
    relay.portal.put(2, 1, title="x", updatedTime=OLD, updatedBy=1)
    relay.baseline()
    relay.portal.put(2, 1, updatedTime=LATER, updatedBy=2)
    relay.event(1)
    assert relay.settle() == []


def test_a_life_is_announced_in_order(relay):
    """An item that is added, updated, deleted and added anew gets the versions 1 to 4."""
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
    (readded,) = changes(relay.settle())
    assert [one.action for one in (added, updated, deleted, readded)] == [
        "added", "updated", "deleted", "added",
    ]  # fmt: skip
    assert [one.version for one in (added, updated, deleted, readded)] == [1, 2, 3, 4]
    assert added.before == {}
    assert added.changed == readded.changed == ("id", "title")
    assert len({one.change_id.split(".")[3] for one in (added, updated, deleted, readded)}) == 1
    assert deleted.after == {}
    assert deleted.before["title"] == "b"
    assert len({one.change_id for one in (added, updated, deleted, readded)}) == 4


def test_lost_doubled_and_shuffled_events_announce_each_change_once(relay):
    """Of 400 edits, half without events, events and one sweep announce each edit once."""
    numbers = range(1, 401)
    for number in numbers:
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    for number in numbers:
        relay.portal.put(2, number, title="b", updatedTime=LATER)
    hinted = [n for n in numbers if n % 2] + [n for n in numbers if n % 4 == 1]
    for number in sorted(hinted, key=lambda n: n * 7919 % 1009):
        relay.event(number)
    relay.portal.requests = 0
    first = relay.settle()
    assert len(first) == 200
    assert relay.portal.requests == 1
    relay.sweep()
    ids = [one["data"]["id"] for one in first + relay.settle()]
    assert sorted(map(int, ids)) == list(numbers)


def test_smart_processes_and_tasks_are_tracked(relay):
    """An item of a smart process and a task are announced under the names of their kinds."""
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


def test_an_item_with_500_user_fields_names_the_changed_ones(relay):
    """A Change of an item with 500 user fields names the two that changed and carries all."""
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
    """With a clock two hours off, a sweep finds a change once and reads nothing twice."""
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


def test_a_task_tells_whether_it_has_a_result(relay):
    """Its list says so; what one of two readings did not show is no difference."""
    flags = {"taskHasResult": "Y", "taskHasOpenResult": "N"}

    def edit(**fields):
        relay.portal.items[0].pop(6, None)
        relay.portal.put(0, 6, title="Task", **fields)
        relay.event(6, entity="task", type_id=None)
        return [change.changed for change in changes(relay.settle())]

    relay.portal.put(0, 6, title="Task")
    relay.baseline()
    assert edit(**flags) == []  # the row is older than the flags
    assert edit() == []
    assert edit(**flags) == []
    assert edit(**flags | {"taskHasResult": "N"}) == [("taskHasResult",)]
    _, params = relay.portal.calls[-1]
    assert params["params"] == {"WITH_RESULT_INFO": True}
