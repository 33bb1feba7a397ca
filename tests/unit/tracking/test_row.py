"""Rows of the mirror, older ones included."""

from tests.tracking_aws import LATER, OLD, changes


def test_an_item_added_while_the_mirror_fills_is_announced_once(relay):
    """An ADD event after the baseline's own reading makes one `added`, however often it comes."""
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
    """A row stays open over edits and a time without rights, until the ADD event closes it."""
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


def test_an_item_after_a_tombstone_is_announced_as_added_once(relay):
    """An item that appears after a tombstone is added without an ADD event, and once."""
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


def test_two_mirrors_of_one_portal_give_an_item_two_births(relay):
    """A mirror that was made anew repeats no Change's id, as each first row is born by itself."""
    births = set()
    for _ in range(2):
        relay.dynamo.mirror.clear()
        relay.portal.put(2, 1, title="a")
        relay.event(1, "add")
        relay.track_all()
        births.add(relay.dynamo.mirror["main/deal", 1]["born"]["S"])
    assert len(births - {""}) == 2
