"""Ids that a portal gives a second time."""

import json

import pytest

from relay.tracking.difference import change_of
from relay.tracking.row import Key
from tests.tracking_aws import OLD, row

FIRST, LATER = "2026-03-01T09:00:00Z", "2026-03-02T09:00:00Z"
READ_AT = 1772355600.0  # FIRST


def test_an_item_of_a_restored_portal_is_announced_as_added(relay):
    """The portal lost deal 1, and the next deal got its number: no deal was updated."""
    relay.baseline()
    relay.portal.put(2, 1, title="a", stageId="WON", createdTime=OLD, updatedTime=OLD)
    relay.event(1, "add")
    assert len(relay.settle()) == 1
    created = "2126-01-01T12:00:00+03:00"  # by then the mirror has read deal 1
    relay.portal.items[2] = {}
    relay.portal.put(2, 1, title="b", createdTime=created, updatedTime=created)
    relay.event(1, "add")
    (found,) = relay.settle()
    assert found["type"] == "com.bitrix24.deal.added"
    assert found["data"]["before"] == {}
    assert found["data"]["changed"] == ["createdTime", "id", "title"]
    relay.portal.put(2, 1, title="c")
    relay.event(1)
    (found,) = relay.settle()
    assert (found["type"], found["data"]["changed"]) == ("com.bitrix24.deal.updated", ["title"])


@pytest.mark.parametrize(
    ("before", "after", "about", "action"),
    [
        (FIRST, LATER, {}, "added"),
        (FIRST, LATER, {"zone": 3600}, "updated"),
        (FIRST, "2026-03-01T10:00:00Z", {}, "updated"),
        (FIRST, "2026-03-01T10:00:01Z", {}, "added"),
        (LATER, FIRST, {}, "updated"),
        (LATER, LATER, {}, "updated"),
        (None, LATER, {}, "updated"),
        (FIRST, None, {}, "updated"),
        (FIRST, "soon", {}, "updated"),
    ],
)
@pytest.mark.parametrize(
    ("entity", "name"),
    [("deal", "createdTime"), ("task", "createdDate"), ("activity", "created")],
)
def test_another_item_is_one_that_was_created_after_the_former_reading(  # noqa: PLR0913, PLR0917
    entity, name, before, after, about, action
):
    """A time of creation that only moves, as with the server's zone, is the same item's."""
    key = Key("main", entity, 1)
    old, new = ({"title": "a", name: before}, {"title": "b", name: after})
    texts = [json.dumps({n: v for n, v in form.items() if v}) for form in (old, new)]
    zoned = {"zone": 7200}
    former = row(key=key, read_at=READ_AT, text=texts[0], **zoned)
    change = change_of(former, row(key=key, seq=2, text=texts[1], **zoned | about))
    assert change.action == action
    assert ("before" if change.before else "") == ("before" if action == "updated" else "")
