"""Two rows become a Change, or none."""

import json
from dataclasses import replace

import pytest

from relay.change import Change
from relay.errors import NewerFormatError
from relay.tracking import difference as difference_module
from relay.tracking.difference import change_of, difference
from relay.tracking.projection import (
    canonical_json,
    digest,
    project,
)
from relay.tracking.row import TOMBSTONE, UNREADABLE
from tests.samples import passes
from tests.tracking_aws import OLD, row


def test_an_oversized_item_says_which_fields_changed(relay):
    """A field beyond DynamoDB's or SNS's limits is in `changed` and `truncated`, without value."""
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


def test_a_value_that_becomes_or_was_too_large_is_left_out():
    """No digest that stands for a value is announced, whether it is the old or the new one."""
    small, large = {"a": 1, "b": 1}, {"a": digest("x" * 999), "b": 2}
    for old, new in ((small, large), (large, small)):
        change = change_of(row(text=json.dumps(old)), row(seq=2, text=json.dumps(new)))
        assert (change.changed, change.truncated) == (("a", "b"), ("a",))
        assert (change.before, change.after) == ({"b": old["b"]}, {"b": new["b"]})


def test_a_change_leaves_out_its_largest_fields(monkeypatch):
    """A Change beyond the limit leaves out its largest field first, and `changed` stays whole."""
    form = {"a": "x" * 40, "b": "y" * 20, "c": 1}
    old, new = row(text='{"a":1}'), row(seq=2, text=json.dumps(form))
    whole = change_of(old, new)
    assert (whole.after, whole.truncated) == (form, ())
    size = len(whole.to_json().encode())
    monkeypatch.setattr(difference_module, "CHANGE_BYTES", size)
    assert change_of(old, new) == whole
    monkeypatch.setattr(difference_module, "CHANGE_BYTES", size - 1)
    change = change_of(old, new)
    assert change.truncated == ("a",)
    assert change.after == {"b": "y" * 20, "c": 1}
    assert change.before == {"b": None, "c": None}
    assert change.changed == ("a", "b", "c")


@pytest.mark.parametrize(
    ("fields", "letters", "value"),
    [(1000, 50, "x" * 150), (1000, 50, 1), (700, 50, "ж" * 100), (5, 50, "\n" * 60_000)],
)
def test_a_change_of_a_thousand_fields_fits_and_names_them_all(fields, letters, value):
    """A Change of 1,000 fields names all of them and leaves out no more than it must."""
    names = sorted(f"UF_CRM_{number}".ljust(letters, "X") for number in range(fields))
    text = canonical_json(dict.fromkeys(names, value))
    for old in (None, row(text="{}")):
        change = change_of(old, row(seq=2, text=text))
        size = len(change.to_json().encode())
        assert size <= 256_000
        assert change.changed == tuple(names)
        assert set(change.truncated) | set(change.after) == set(names)
        assert not set(change.truncated) & set(change.after)
        assert not change.truncated or size > 256_000 - 130_000  # no more is left out than must be


def test_names_that_no_message_holds_end_in_a_star():
    """6,000 names end in `*` where the message is full, and no field is carried."""
    names = sorted(f"UF_CRM_{number:043}" for number in range(6000))
    change = change_of(None, row(text=canonical_json(dict.fromkeys(names, 1))))
    assert 255_900 < len(change.to_json().encode()) <= 256_000
    assert change.changed == (*names[: len(change.changed) - 1], "*")
    assert (change.after, change.truncated) == ({}, ("*",))
    changed = row(text=canonical_json(dict.fromkeys(names, 1) | {"a": 1}))
    one = change_of(row(text=canonical_json(dict.fromkeys(names, 1))), changed)
    assert one.changed == ("a",)
    assert one.truncated == ("*",)


@pytest.mark.parametrize(
    ("old", "new", "action"),
    [
        (None, row(), "added"),
        (None, row(first_sight=True), None),
        (None, row(kind=TOMBSTONE, text=""), None),
        (row(), row(kind=UNREADABLE), None),
        (row(kind=UNREADABLE), row(text='{"title":"b"}'), "updated"),
        (row(kind=UNREADABLE, text="", first_sight=True), row(), None),
        (row(kind=UNREADABLE, text="", first_sight=True), row(added_now=True), "added"),
        (row(kind=UNREADABLE, text=""), row(), "added"),
        (row(kind=UNREADABLE), row(kind=TOMBSTONE, text=""), "deleted"),
        (row(kind=TOMBSTONE, text=""), row(), "added"),
        (row(), row(), None),
    ],
)
def test_two_images_make_the_change_between_them(old, new, action):
    """Each pair of images is announced with the right action, or not at all."""
    change = change_of(old, new)
    assert (change and change.action) == action


def test_an_older_row_is_converted_before_it_is_compared(monkeypatch):
    """A field that an upgrade began to store makes no Change."""
    upgrades = {1: lambda form, beside: form | {"new": beside["new"]}}
    monkeypatch.setattr("relay.tracking.projection.UPGRADES", upgrades)
    monkeypatch.setattr("relay.tracking.row.FORMAT", 2)
    new = row(format=2, text='{"title":"a","new":1}')
    assert change_of(row(), new) is None
    with pytest.raises(NewerFormatError):
        _ = row(format=3).form


def test_a_deal_that_was_won_before_its_first_reading_passes_the_filter_of_won_deals(relay):
    """`changed` of an added item names all its fields, so one filter serves both actions."""
    won = {"title": "a", "stageId": "WON", "stageSemanticId": "S", "updatedBy": 1}
    policy = {
        "type": ["com.bitrix24.deal.added", "com.bitrix24.deal.updated"],
        "data": {"changed": ["stageSemanticId"], "after": {"stageSemanticId": ["S"]}},
    }
    relay.baseline()
    relay.portal.put(2, 1, **won)
    relay.event(1, "add")
    relay.portal.put(2, 2, **won | {"title": ""})
    relay.event(2)  # the ADD event was lost
    found = relay.settle()
    assert [passes(policy, one) for one in found] == [True, True]
    for body in found:
        change = Change.from_cloudevent(body)
        assert change.moved("stageSemanticId", to="S", from_=None)
        assert set(change.changed) == set(change.after) - {"updatedBy", "updatedTime"}


NO = [0, 0.0, "0", "N"]


@pytest.mark.parametrize("no", NO)
def test_a_new_yes_no_field_of_the_portal_is_no_change(relay, monkeypatch, no):
    """A field that appears or disappears with the value "no" is stored without a Change."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    monkeypatch.setenv("RECONCILE_DAYS", "0")
    for field in ({"UF_CRM_NEW": no}, {"title": "b"}):
        relay.portal.put(2, 1, **field)
        relay.portal.put(2, 2, UF_CRM_NEW=no)
        relay.sweep()
        relay.event(1)
        relay.event(2)
        found = relay.settle()
    assert [one["data"]["changed"] for one in found] == [["title"]]
    assert found[0]["data"]["after"]["UF_CRM_NEW"] == no
    relay.portal.put(2, 2, UF_CRM_NEW="1")
    relay.event(2)
    (found,) = relay.settle()
    assert (found["data"]["changed"], found["data"]["before"]) == (
        ["UF_CRM_NEW"],
        {"UF_CRM_NEW": no},
    )
    del relay.portal.items[2][1]["UF_CRM_NEW"]
    relay.event(1)
    assert relay.settle() == []


@pytest.mark.parametrize("no", NO)
def test_a_person_who_sets_a_field_that_is_there_to_no_is_announced(relay, no):
    """An empty field that a person sets to "no" makes a Change."""
    relay.portal.put(2, 1, title="a", UF_CRM_SUM=None, updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, UF_CRM_SUM=no)
    relay.event(1)
    (found,) = relay.settle()
    assert found["data"]["changed"] == ["UF_CRM_SUM"]


@pytest.mark.parametrize(
    ("value", "old", "new", "changed"),
    [
        ("0", "a", "b", ()),
        ("1", "a", "b", ("x",)),
        (True, "a", "b", ("x",)),
        ("0", "", "b", ("x",)),
        ("0", "a", "", ("x",)),
        ("0", "a", "a", ("x",)),
    ],
)
def test_a_no_is_ignored_only_if_the_names_of_fields_differ(value, old, new, changed):
    """A new "no" is ignored only if both rows have digests of names, and they differ."""
    text = json.dumps({"title": "a", "x": value})
    change = change_of(row(names=old), row(names=new, text=text))
    assert (change.changed if change else ()) == changed


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("title", "a", "b"),
        ("categoryId", 0, 9),
        ("UF_CRM_NUMBER", 0, None),
        ("UF_CRM_FLAG", True, 1),
        ("originId", "00123", "123"),
        ("title", "", "x"),
        ("closed", "N", "Y"),
        ("movedTime", "2024-08-30T02:00:00+02:00", "2024-08-30T02:00:01+02:00"),
        ("begindate", "2024-99-99T02:00:00+02:00", "2024-99-98T02:00:00+02:00"),
        ("link", {"label": "a", "downloadUrl": "x"}, {"label": "b", "downloadUrl": "x"}),
    ],
)
def test_two_values_are_a_difference(name, one, other):
    """Two values with different meanings are a difference."""
    assert difference(project("deal", {name: one}), project("deal", {name: other})) == [name]


@pytest.mark.parametrize("name", ["updatedTime", "updatedBy", "lastActivityTime",
                                  "lastCommunicationCallTime"])  # fmt: skip
def test_volatile_fields_are_stored_but_no_difference(name):
    """Volatile fields are in the form and never in `changed`."""
    one, other = project("deal", {name: "1"}), project("deal", {name: "2"})
    assert one != other
    assert difference(one, other) == []


def test_a_no_that_becomes_a_yes_is_announced_beside_a_new_field():
    """Only a field that one of the rows lacks counts as a new field of the portal."""
    old, new = row(names="a", text='{"x":"N"}'), row(names="b", text='{"x":"Y","new":"N"}')
    assert change_of(old, new).changed == ("x",)


@pytest.mark.parametrize(
    ("value", "changed", "before"), [("x", (), {}), ("y", ("UF_CRM_1",), {"UF_CRM_1": "x"})]
)
@pytest.mark.parametrize("is_back", [False, True])
def test_user_fields_that_the_portal_spells_otherwise_are_the_same(value, changed, before, is_back):
    """An update of an on-premise portal may spell the names of all user fields anew."""
    camel, original = (
        ("ufCrm_1", "ufCrm2_17", "ufCrmMyField"),
        ("UF_CRM_1", "UF_CRM_2_17", "UF_CRM_MY_FIELD"),
    )
    if is_back:
        camel, original = original, camel
        changed = tuple(name.replace("UF_CRM_1", "ufCrm_1") for name in changed)
        before = {name.replace("UF_CRM_1", "ufCrm_1"): one for name, one in before.items()}
    old = row(names="a", text=canonical_json(dict(zip(camel, ("x", 7, ["z"]), strict=True))))
    new = dict(zip(original, (value, 7, ["z"]), strict=True))
    change = change_of(old, row(names="b", text=canonical_json(new)))
    assert (change.changed if change else ()) == changed
    assert (change.before if change else {}) == before


def test_only_user_fields_of_which_no_other_is_alike_are_paired():
    """Fields that differ in an underscore alone, and the portal's own, are announced."""
    old = row(names="a", text='{"ufCrm_1_2":"x","ufCrm_12":"y","gone":"z"}')
    new = row(names="b", text='{"UF_CRM_1_2":"x","UF_CRM_12":"y","new":"z"}')
    change = change_of(old, new)
    assert change.changed == ("UF_CRM_12", "UF_CRM_1_2", "gone", "new", "ufCrm_12", "ufCrm_1_2")
    assert change.before["ufCrm_12"] == "y"


def test_an_emptied_field_is_null_after_the_change():
    """A field that was emptied stands in `after` as null, so that a filter can ask for it."""
    change = change_of(row(text='{"a":1,"b":2}'), row(seq=2, text='{"b":2}'))
    assert (change.changed, change.before) == (("a",), {"a": 1})
    assert change.after == {"a": None, "b": 2}


def test_a_row_that_becomes_unreadable_is_no_change():
    """A row that may not be read any more keeps its content, and nothing is announced of it."""
    unreadable = row(seq=2, text='{"a":1}', kind=UNREADABLE)
    assert change_of(row(text='{"a":1}'), unreadable) is None
    assert change_of(row(text='{"a":1}'), replace(unreadable, added_now=True)) is None
