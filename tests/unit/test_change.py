"""relay.change: a change is read back from its JSON, and reads as its fields say."""

import json
from dataclasses import replace

import pytest

from relay.change import Change
from relay.errors import NotOursError, SpellingError
from tests.samples import change_of

CHANGE = change_of(
    "deal/662",
    3,
    changed=("stageId",),
    before={"stageId": "NEW"},
    after={"stageId": "WON", "title": "Сделка"},
    truncated=("comments",),
)
CHANGE_DATA = json.loads(CHANGE.to_json())["data"]


def test_a_change_survives_its_journey():
    """A change is equal after it was JSON."""
    assert Change.from_cloudevent(json.loads(CHANGE.to_json())) == CHANGE


def test_a_change_is_a_cloudevent():
    """Type, source, subject and data are where subscriptions and receivers look for them."""
    cloudevent = json.loads(CHANGE.to_json())
    assert cloudevent["specversion"] == "1.0"
    assert cloudevent["type"] == "com.bitrix24.deal.updated"
    assert cloudevent["source"] == "urn:bitrix24:main"
    assert cloudevent["subject"] == "deal/662"
    assert cloudevent["data"]["origin"] == "portal"
    assert cloudevent["data"]["truncated"] == ["comments"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, True),
        ({"to": "WON"}, True),
        ({"to": "LOSE"}, False),
        ({"from_": "NEW"}, True),
        ({"from_": "OLD"}, False),
        ({"to": "WON", "from_": "NEW"}, True),
    ],
)
def test_moved_says_how_a_field_changed(arguments, expected):
    """`moved` compares both ends where they are given."""
    assert CHANGE.moved("stageId", **arguments) is expected


@pytest.mark.parametrize(
    ("value", "to", "expected"),
    [("5", 5, True), (5, "5", True), ("5", 6, False), (True, "True", False), ("None", None, False)],
)
def test_a_number_and_its_text_are_one_value_to_moved(value, to, expected):
    """A task's status is text, its creator a number, and nobody remembers which."""
    change = replace(CHANGE, changed=("status",), before={}, after={"status": value})
    assert change.moved("status", to=to) is expected


def test_moved_is_false_for_a_field_that_did_not_change():
    """A field that has the value but did not change has not moved."""
    assert not CHANGE.moved("title", to="Сделка")


@pytest.mark.parametrize(
    ("host", "entity", "url"),
    [
        ("a.example", "deal", "https://a.example/crm/deal/details/662/"),
        ("a.example", "task", "https://a.example/company/personal/user/0/tasks/task/view/662/"),
        ("a.example", "dynamic_128", "https://a.example/crm/type/128/details/662/"),
        ("", "deal", ""),
    ],
)
def test_the_url_of_an_item_is_on_its_portal(host, entity, url):
    """The URL is the item's page; it is empty where the portal's host is not set."""
    assert replace(CHANGE, portal_host=host, entity=entity).portal_url == url


def test_empty_fields_read_as_none():
    """A field that is empty in the portal is absent, and reads as None."""
    received = Change.from_cloudevent(json.loads(CHANGE.to_json()))
    assert received.after["companyId"] is None
    assert "companyId" not in received.after


def test_a_field_in_another_spelling_is_an_error():
    """The names of older methods would read as empty, and would never move, without a word."""
    for ask in (CHANGE.moved, CHANGE.after.__getitem__, CHANGE.before.__getitem__):
        with pytest.raises(SpellingError, match=r"^STAGE_ID is spelt stageId"):
            ask("STAGE_ID")
    emptied = replace(CHANGE, changed=("comments",), before={"comments": "A"}, after={"id": 1})
    with pytest.raises(SpellingError, match=r"^COMMENTS is spelt comments"):
        emptied.moved("COMMENTS")


def test_plain_dicts_read_as_they_do_in_production():
    """A test that builds a change from plain dicts reads an absent field as None."""
    change = replace(CHANGE, before={"title": "A"}, after={"title": "B"})
    assert change.after["companyId"] is None
    assert change.before["stageId"] is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "version is None, not a number"),
        ({"version": "3", "action": "updated"}, "version is '3', not a number"),
        ({"version": True, "action": "updated"}, "version is True, not a number"),
        ({"version": 3, "action": "moved"}, "action is 'moved', not one of added"),
        ({"version": 3, "action": "updated"}, "not a change of this relay: KeyError"),
        (CHANGE_DATA | {"before": "text"}, "not a change of this relay: ValueError"),
        (CHANGE_DATA | {"changed": None}, "not a change of this relay: TypeError"),
    ],
)
def test_other_documents_are_refused(data, reason):
    """A CloudEvent with other data than a change's raises NotOursError."""
    document = json.loads(CHANGE.to_json())
    with pytest.raises(NotOursError, match=reason):
        Change.from_cloudevent(document | {"data": data})
