"""The canonical form of an item."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.kinds import TASK
from relay.tracking import projection
from relay.tracking.difference import difference
from relay.tracking.projection import (
    canonical_json,
    digest,
    fit,
    is_digest,
    is_template,
    project,
    upgrade,
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["", "0", "N", "2024-07-22T18:00:08+02:00", "\ud800x", "C_627"]),
)


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)


NAMES = st.one_of(
    st.sampled_from(["title", "companyId", "fm", "UF_CRM_1", "opportunity", "contactIds", "tags"]),
    st.text(max_size=8),
)


ITEMS = st.dictionaries(NAMES, VALUES, max_size=8)


FIXED = settings(deadline=None, derandomize=True, database=None)


@FIXED
@given(ITEMS)
def test_projecting_twice_changes_nothing(item):
    """The form of a form is equal to it."""
    form = project("deal", item)
    assert project("deal", form) == form


@FIXED
@given(ITEMS, st.randoms(use_true_random=False))
def test_order_of_an_answer_does_not_matter(item, random):
    """Fields, and values of one field, in another order have the same form."""

    def shuffled(value):
        if isinstance(value, list):
            return random.sample([shuffled(one) for one in value], len(value))
        if isinstance(value, dict):
            names = random.sample(list(value), len(value))
            return {name: shuffled(value[name]) for name in names}
        return value

    one, other = project("deal", item), project("deal", shuffled(item))
    assert canonical_json(one) == canonical_json(other)
    assert difference(one, other) == []


@FIXED
@given(
    ITEMS, st.sampled_from(["", None, [], {}, False]), st.sampled_from(["", None, [], {}, False])
)
def test_empty_values_are_one_thing(item, one, other):
    """All spellings of an empty value, and a missing field, have the same form."""
    forms = [project("deal", item | {"extra": empty}) for empty in (one, other)]
    item.pop("extra", None)
    assert forms == [project("deal", item)] * 2


@FIXED
@given(ITEMS)
def test_a_form_can_be_stored_and_sent(item):
    """The text of a form has no character that SQS or DynamoDB refuses, and reads back equal."""
    form = project("deal", item)
    text = canonical_json(form)
    assert not set(text) & {"\ufffe", "\uffff"}
    assert json.loads(text.encode()) == form


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("begindate", "2024-08-30T02:00:00+02:00", "2024-08-30T03:00:00+03:00"),
        ("opportunity", 1000, 1000.0),
        ("companyId", 0, None),
        ("parentId1222", 0, None),
        ("contactId", "4", 4),
        ("contactIds", [5, 4], [4, 5]),
        ("observers", [], None),
        ("UF_CRM_FILES", [{"id": 7, "url": "/a"}, {"id": 5, "url": "/b"}], [5, 7]),
        ("photo", {"id": 9, "urlMachine": "https://x/rest/1/secret/"}, 9),
        ("UF_CRM_FLAG", False, None),
        ("fm", [{"id": 2, "typeId": "PHONE"}, {"id": 1, "typeId": "EMAIL"}],
         [{"typeId": "EMAIL", "id": 1}, {"id": 2, "typeId": "PHONE"}]),
    ],
)  # fmt: skip
def test_two_spellings_of_one_value_are_no_difference(name, one, other):
    """Values that the portal spells in several ways are equal."""
    assert difference(project("deal", {name: one}), project("deal", {name: other})) == []


def test_derived_fields_are_left_out():
    """The search index, short dates and the type's number are not stored."""
    item = {"searchContent": "x", "begindateShort": "y", "entityTypeId": 2, "shortName": "z"}
    assert project("deal", item) == {}


def test_of_a_task_chosen_fields_are_stored():
    """Of a task the chosen fields are stored; counters, pictures and a user's own marks are not."""
    task = {
        "id": "8017",
        "title": "x",
        "groupId": "0",
        "closedBy": "0",
        "auditors": ["9", "10"],
        "tags": {"35": {"id": 35, "title": "urgent"}},
        "creator": {"id": "1", "icon": "https://x/y.jpg"},
        "favorite": "Y",
        "viewedDate": "2025-09-09T12:11:30+02:00",
        "ufCrmTask": ["D_10", "C_7"],
        "ufAuto123": "x",
    }
    assert project(TASK, task) == {
        "id": "8017",
        "title": "x",
        "auditors": ["10", "9"],
        "tags": ["urgent"],
        "ufCrmTask": ["C_7", "D_10"],
        "ufAuto123": "x",
    }


def test_tags_are_titles():
    """A task's tags are stored as their titles, whatever shape the portal answers."""
    assert project(TASK, {"tags": ["a"]}) == project(TASK, {"tags": {"1": {"title": "a"}}})
    assert project(TASK, {"tags": None}) == {}


def test_a_recurring_deal_is_a_template():
    """A deal with isRecurring Y is a template, one with N is none."""
    assert is_template({"isRecurring": "Y"})
    assert not is_template({"isRecurring": "N"})


def test_large_values_become_digests():
    """A form beyond the limit has digests of its largest values, and changes of them still show."""
    form = {"comments": "я" * 500, "title": "t" * 50, "UF_CRM_1": "u" * 400}
    small, text = fit(form, 700)
    assert len(text.encode()) <= 700
    assert is_digest(small["comments"])
    assert small["UF_CRM_1"] == form["UF_CRM_1"]
    changed, _ = fit(form | {"comments": "я" * 499 + "ю"}, 700)
    assert difference(small, changed) == ["comments"]
    assert difference(small, form) == []
    assert difference(small, {**form, "comments": "short"}) == ["comments"]
    assert digest(small["comments"]) == small["comments"]


def test_a_form_that_fits_stays_as_it_is():
    """A form below the limit is stored whole, however near it is."""
    form = {"comments": "я" * 300}
    assert fit(form, 620)[0] == form
    assert fit(form, 10_000)[0] == form
    assert fit(form, 1)[0] == {"comments": digest(form["comments"])}


def test_older_forms_are_read_as_newer_ones(monkeypatch):
    """An upgraded form takes a field that was not stored before from the newer form."""
    monkeypatch.setattr(
        projection, "UPGRADES", {1: lambda form, beside: form | {"new": beside["new"]}}
    )
    old, new = {"title": "a"}, {"title": "b", "new": 1}
    assert difference(upgrade(old, 1, new, 2), new) == ["title"]
    assert upgrade(old, 2, new, 2) == old


def test_an_empty_part_of_a_value_is_as_good_as_none():
    """A portal that begins to answer an empty part of a phone or file makes no Change."""
    short, long = {"id": 1, "value": "x"}, {"id": 1, "value": "x", "note": "", "flag": False}
    assert project("deal", {"fm": [short]}) == project("deal", {"fm": [long]})
    assert project("deal", {"UF_CRM_1": {"label": ""}}) == project("deal", {})


def test_only_a_digest_is_taken_for_one():
    """A value with parts of its own is no digest, so a Change has it whole."""
    assert is_digest(digest({"name": "x"}))
    assert not is_digest({"name": "x"})
    assert not is_digest("$sha256")


def test_empty_values_of_a_list_are_left_out():
    """A value of several has only those that are set."""
    assert project("deal", {"UF_CRM_1": ["x", "", None, False]}) == {"UF_CRM_1": ["x"]}


def test_no_address_is_stored_of_any_value():
    """Addresses hold the webhook's secret: of a value with parts none that is one is stored."""
    value = {"name": "x", "showUrl": "https://x/rest/1/secret", "URLMACHINE": "https://x"}
    assert project("deal", {"UF_CRM_1": value}) == {"UF_CRM_1": {"name": "x"}}
    assert project("deal", {"UF_CRM_2": value | {"id": 5}}) == {"UF_CRM_2": 5}


def test_a_form_has_one_text():
    """The text of a form does not depend on the order of names, nor of equal-looking values."""
    assert canonical_json({"b": 1, "a": 2}) == '{"a":2,"b":1}'
    mixed, other = (project("deal", {"UF_CRM_1": each}) for each in ([True, 1], [1, True]))
    assert canonical_json(mixed) == canonical_json(other)


def test_of_an_activity_chosen_fields_are_stored():
    """What a provider keeps for itself in an activity is no part of its state."""
    assert project("activity", {"id": 7, "subject": "Call", "settings": {"a": 1}}) == {
        "id": 7,
        "subject": "Call",
    }
