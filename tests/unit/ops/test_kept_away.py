"""ops.kept_away: why a reaction did not get a change."""

import json

import pytest

from ops import kept_away as module
from ops.filter_policy import unmet
from ops.kept_away import kept_away
from relay.tracking.row import Key
from tests.pasts import STACK
from tests.tracking_aws import LATER, OLD
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

DEAL = Key("main", "deal", 1)
TYPE = "com.bitrix24.deal.updated"
FILTERS = {
    "won": {"type": [TYPE], "data": {"after": {"stageId": ["WON"]}}},
    "lost": {"type": [TYPE], "data": {"after": {"stageId": ["LOSE", "C1:LOSE"]}}},
    "new": {"type": ["com.bitrix24.deal.added"]},
    "phone": {"type": ["com.bitrix24.contact.updated"]},
    "whatever": {"data": {"origin": ["relay"]}},
    "odd": {"data": {"id": [{"suffix": "1"}]}},
}


@pytest.fixture
def deal(relay, aws_clients, monkeypatch):
    """Return a relay with a deal that was renamed, then won."""
    aws_clients.deploy(STACK)["dynamodb"] = relay.dynamo
    given = [
        (name, {"Topic": "ChangesTopic", "Filter": json.dumps(one)})
        for name, one in FILTERS.items()
    ]
    given.append(("event", {"Topic": "EventsTopic", "Filter": '{"type": ["x"]}'}))
    monkeypatch.setattr(module, "entries", lambda _root, _names: given)
    relay.portal.put(2, 1, title="a", stageId="NEW", updatedTime=OLD)
    relay.baseline()
    for fields in ({"title": "b"}, {"stageId": "WON"}):
        relay.portal.put(2, 1, **fields, updatedTime=LATER)
        relay.event(1)
        relay.settle()
    return relay


def test_the_first_condition_that_is_not_met_is_named(deal):
    """Reactions to events and to other kinds are left out; so is who gets the change."""
    renamed, won = (one["id"] for one in deal.topic.published)
    others = {
        "lost": "data.after.stageId: LOSE or C1:LOSE",
        "new": "type: com.bitrix24.deal.added",
        "whatever": "data.origin: relay",
    }
    found = kept_away(STACK, DEAL, [renamed, won], FILTERS)
    assert found == {renamed: others | {"won": "data.after.stageId: WON"}, won: others}
    assert kept_away(STACK, DEAL, [won], FILTERS) == {won: others}


def test_what_the_history_does_not_have_is_left_out(deal):
    """A missing row is a gap: what the item was before it would be a guess."""
    renamed, won = (one["id"] for one in deal.topic.published)
    deal.dynamo.history.clear()
    assert kept_away(STACK, DEAL, [renamed, won], FILTERS) == {}
    assert kept_away(STACK, Key("main", "deal", 2), [renamed], FILTERS) == {}


def test_conditions_are_told_as_people_write_them():
    """Nested ones have their path, other operators are shown as they are."""
    assert unmet({"a": {"b": [{"exists": False}]}}, {"a": {"b": 1}}) == 'a.b: {"exists": false}'
    assert unmet({"a": {"b": [1]}}, {"a": 1}) == 'a: {"b": [1]}'
    assert unmet({"a": {"b": [1]}, "c": [2]}, {"a": {"b": 1}, "c": 2}) == ""
