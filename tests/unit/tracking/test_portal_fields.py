"""Fields that the portal gives to its items, or takes from them."""

import json

import pytest

from relay.tracking.difference import change_of
from relay.tracking.row import Key
from tests.tracking_aws import OLD, row

SAVED_AT = 1767225600.0  # 2026-01-01T00:00:00Z
STAGE = {"stageId": "DT128_1:NEW", "categoryId": 7}


def settle(relay):
    """Let a sweep read all items, and return the `changed` of each Change."""
    relay.sweep()
    return [found["data"]["changed"] for found in relay.settle()]


def test_settings_of_a_smart_process_announce_none_of_its_items(relay, monkeypatch):
    """Stages are switched on and off for 60 items, and no Change tells of it, but of a move."""
    relay.portal.items[128] = {}
    for number in range(1, 61):
        relay.portal.put(128, number, title="a", updatedTime=OLD)
    relay.baseline()
    monkeypatch.setenv("RECONCILE_DAYS", "0")
    for item in relay.portal.items[128].values():
        item.update(STAGE)
    assert settle(relay) == []
    relay.portal.put(128, 9, stageId="DT128_1:WON")
    relay.event(9, entity="dynamic_128", type_id=128)
    (found,) = relay.settle()
    assert found["data"]["changed"] == ["stageId"]
    assert found["data"]["before"] == {"stageId": "DT128_1:NEW"}
    for item in relay.portal.items[128].values():
        for name in STAGE:
            del item[name]
    assert settle(relay) == []


def test_the_first_value_that_somebody_saves_is_announced(relay):
    """A field that came since the last reading and was saved at once makes a Change."""
    relay.portal.items[128] = {}
    relay.portal.put(128, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(128, 1, **STAGE)  # with a time of its own
    relay.event(1, entity="dynamic_128", type_id=128)
    (found,) = relay.settle()
    assert found["data"]["changed"] == ["categoryId", "stageId"]


@pytest.mark.parametrize(
    ("name", "changes", "announced"),
    [
        ("sourceId", {}, False),
        ("sourceId", {"updated": "2026-01-01T00:00:01Z"}, True),
        ("sourceId", {"names": "a"}, True),
        ("sourceId", {"names": ""}, True),
        ("UF_CRM_5_NEW", {}, True),
        ("ufCrm5New", {}, True),
        ("contactIds", {}, True),
        ("companyId", {}, True),
        ("parentId128", {}, True),
        ("PARENT_ID_128", {}, True),
        ("observers", {}, True),
        ("fm", {}, True),
    ],
)
@pytest.mark.parametrize("is_gone", [False, True])
def test_only_a_standard_field_of_an_item_that_nobody_saved_is_the_portals(
    name, changes, announced, is_gone
):
    """Links and user fields are somebody's, and so is what came with a saving."""
    long_ago = {"updated": "2026-01-01T00:00:00Z", "read_at": SAVED_AT + 3601}
    texts = ['{"title":"a"}', json.dumps({"title": "a", name: 7})]
    if is_gone:
        texts.reverse()
    old = row(names="a", text=texts[0], **long_ago)
    new = row(**long_ago | {"names": "b", "text": texts[1]} | changes)
    assert (change_of(old, new) is not None) == announced


def test_a_value_that_becomes_another_is_announced_beside_new_fields():
    """Only a field that one of the rows lacks can be the portal's."""
    old = row(names="a", updated=OLD, read_at=2e9, text='{"sourceId":"WEB"}')
    new = row(names="b", updated=OLD, text='{"sourceId":"CALL","typeId":"SALE"}')
    assert change_of(old, new).changed == ("sourceId",)


@pytest.mark.parametrize(
    ("entity", "updated"), [("task", OLD), ("activity", OLD), ("deal", ""), ("deal", "soon")]
)
def test_kinds_of_chosen_fields_and_items_without_a_time_are_announced(entity, updated):
    """The answers about tasks differ in their names, and without a time nothing is proven."""
    key = Key("main", entity, 1)
    old = row(key=key, names="a", updated=updated, read_at=2e9, text='{"title":"a"}')
    new = row(key=key, names="b", updated=updated, text='{"title":"a","mark":"P"}')
    assert change_of(old, new).changed == ("mark",)


def test_product_rows_follow_the_rule_of_parts():
    """Rows that were read both times and are new are announced, whatever names differ."""
    parts = {"parts": frozenset({"products"}), "updated": OLD, "read_at": 2e9}
    old, new = row(names="a", **parts), row(names="b", extra='{"productRows":[{"x":1}]}', **parts)
    assert change_of(old, new).changed == ("productRows",)


@pytest.mark.parametrize(("seconds", "announced"), [(3600, True), (3601, False)])
def test_a_row_that_was_read_soon_after_its_saving_proves_nothing(seconds, announced):
    """A second edit within the second of the first leaves the same time of change."""
    about = {"updated": "2026-01-01T00:00:00Z", "read_at": SAVED_AT + seconds}
    change = change_of(row(names="a", **about), row(names="b", text='{"title":"a","x":7}', **about))
    assert (change is not None) == announced
