"""Two rows become a Change, or none."""

import json

import pytest

from relay.change import Change
from relay.errors import NewerFormatError
from relay.tracking import difference as difference_module
from relay.tracking.difference import change_of, difference
from relay.tracking.projection import (
    canonical_json,
    project,
)
from relay.tracking.row import TOMBSTONE, UNREADABLE
from tests.samples import passes
from tests.tracking_aws import OLD, row


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
    """What is too much for one message is named, the largest first; `changed` stays whole."""
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
    """Names of 50 letters, in `changed` and in `truncated`, leave room for what still fits."""
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
    """Beyond that, as many names of `changed` as fit are told, in order, and no field."""
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


def test_a_deal_that_was_won_before_the_first_look_passes_the_filter_of_won_deals(relay):
    """In `added` every field that is set has changed, so one filter serves both."""
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
    """A field that appears with a "no", or goes with it, is taken over without a Change."""
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
    """The names of the fields tell an empty field from one that the portal did not have."""
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
def test_only_new_names_make_a_no_nothing(value, old, new, changed):
    """Rows without the names, as older code wrote them, are compared as ever."""
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
    """What means different things stays different."""
    assert difference(project("deal", {name: one}), project("deal", {name: other})) == [name]


@pytest.mark.parametrize("name", ["updatedTime", "updatedBy", "lastActivityTime",
                                  "lastCommunicationCallTime"])  # fmt: skip
def test_what_follows_edits_is_stored_but_no_difference(name):
    """Volatile fields are in the form and never in `changed`."""
    one, other = project("deal", {name: "1"}), project("deal", {name: "2"})
    assert one != other
    assert difference(one, other) == []
