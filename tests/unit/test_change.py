"""The envelope in which a change travels."""

import json
from dataclasses import replace

import pytest

from relay.change import Change
from relay.errors import NotOursError

CHANGE = Change(
    change_id="main.deal.662.19a1.3",
    portal="main",
    entity="deal",
    entity_type_id=2,
    id="662",
    action="updated",
    version=3,
    time="2026-03-01T09:00:00.000+00:00",
    changed=("stageId",),
    before={"stageId": "NEW"},
    after={"stageId": "WON", "title": "Сделка"},
    truncated=("comments",),
)


def test_a_change_survives_its_journey():
    """What is announced is what a reaction gets."""
    assert Change.from_cloudevent(json.loads(CHANGE.to_json())) == CHANGE


def test_a_change_is_a_cloudevent():
    """Type and subject are where subscriptions filter."""
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


def test_moved_is_false_for_a_field_that_did_not_change():
    """A field with that value which did not change has not moved."""
    assert not CHANGE.moved("title", to="Сделка")


def test_empty_fields_read_as_none():
    """What is empty in the portal is absent, and reads as None."""
    received = Change.from_cloudevent(json.loads(CHANGE.to_json()))
    assert received.after["companyId"] is None
    assert "companyId" not in received.after


def test_plain_dicts_read_as_they_do_in_production():
    """A test that builds a change from plain dicts reads an absent field as None."""
    change = replace(CHANGE, before={"title": "A"}, after={"title": "B"})
    assert change.after["companyId"] is None
    assert change.before["stageId"] is None


@pytest.mark.parametrize(
    "document", [{}, {"data": {}}, {"data": None}, {"data": {"action": "moved"}}]
)
def test_other_documents_are_refused(document):
    """A message of somebody else is no change."""
    with pytest.raises(NotOursError, match=r"not a change|not one of"):
        Change.from_cloudevent(document)
