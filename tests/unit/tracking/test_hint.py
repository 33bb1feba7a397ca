"""Messages of track's queue become hints."""

import json
from dataclasses import replace

import pytest

from relay.errors import (
    TransientError,
)
from relay.tracking.hint import EVENT, SWEEP, Hint, merge
from relay.tracking.row import Key
from tests.samples import load
from tests.tracking_aws import OLD, event_message
from tests.tracking_queues import URL


def test_kinds_that_are_not_mirrored_are_left_alone(relay):
    """Events of comments, old invoices and items without an id are acknowledged without a call."""
    relay.event(1, entity="comment", type_id=None)
    relay.event(1, entity="invoice", type_id=5)
    relay.event(1, entity="dynamic_x", type_id=None)
    relay.event("")
    relay.event(1, "set_status")
    relay.settle()
    assert relay.portal.calls == []
    assert relay.queues.bodies("dead") == relay.queues.bodies("track") == []


def call_of_robot(entity, item_id, type_id):
    """Return the body of an event that a robot's call became."""
    event = replace(load("sqs_robot_called"), entity=entity, id=item_id, entity_type_id=type_id)
    return event.to_json()


def test_a_robots_call_is_a_hint_to_look_at_its_item(relay):
    """The item is read and its change announced as by an event, though no event came."""
    relay.portal.put(2, 42, title="a")
    relay.event(42, "add")
    relay.settle()
    relay.portal.put(2, 42, title="b")
    relay.send(call_of_robot("deal", "42", 2))
    relay.send(call_of_robot("list_element", "9", None))
    relay.send(call_of_robot("crm", "LATER_7", None))
    (change,) = relay.settle()
    assert (change["subject"], change["data"]["via"]) == ("deal/42", "event")
    assert change["data"]["changed"] == ["title"]
    assert relay.queues.bodies("dead") == relay.queues.bodies("track") == []


def test_a_robots_call_does_not_show_that_the_outgoing_webhook_works(relay):
    """A robot's call is not noted among the portal's events, an event of the same item is."""
    relay.portal.put(2, 42, title="a")
    relay.send(call_of_robot("deal", "42", 2))
    relay.settle()
    assert relay.track.wiring.last_events().read("main") == {}
    relay.send(call_of_robot("deal", "42", 2))
    relay.event(42)
    relay.settle()
    assert set(relay.track.wiring.last_events().read("main")) == {"deal"}


DEEP = "[" * 200_000


@pytest.mark.parametrize(
    "body",
    [
        event_message("ONCRMDEALADD", "9" * 39, "add"),
        event_message("ONCRMDEALADD", "9" * 5000, "add"),
        event_message("ONCRMDEALADD", 2**63, "add"),
        event_message("ONCRMDEALADD", "0", "add"),
        event_message("ONCRMDEALADD", "undefined", "add"),
        event_message("ONCRMDEALADD", 1, "add", type_id="deal"),
        json.dumps({"type": "com.bitrix24.relay.hint"}),
        json.dumps({"type": "com.bitrix24.relay.hint", "portal": "main", "entity": 5, "ids": [1],
                    "baseline": False}),
        json.dumps({"type": "com.bitrix24.relay.hint", "portal": "main", "entity": "deal",
                    "ids": [1, -2], "baseline": False}),
        DEEP,
    ],
)  # fmt: skip
def test_a_poison_hint_is_set_aside_alone(relay, body):
    """A message that names no valid item is dead-lettered, and the message beside it is tracked."""
    relay.portal.put(2, 7, title="a")
    relay.send(body)
    relay.event(7, "add")
    assert [one["subject"] for one in relay.settle()] == ["deal/7"]
    assert relay.queues.bodies("dead") == [body]
    assert relay.queues.bodies("track") == []


def test_the_largest_id_of_a_portal_is_read(relay):
    """The largest id that PHP counts is read."""
    relay.portal.put(2, 2**63 - 1, title="a")
    relay.event(2**63 - 1, "add")
    assert [one["data"]["id"] for one in relay.settle()] == [str(2**63 - 1)]


@pytest.mark.parametrize("actions", [("add", "update"), ("update", "add")])
def test_a_new_item_is_announced_whichever_of_its_events_is_first(relay, actions):
    """An ADD event announces an item of a kind without a baseline, also behind an UPDATE."""
    relay.portal.put(2, 1, title="a")
    for action in actions:
        relay.event(1, action)
    assert [one["type"] for one in relay.settle()] == ["com.bitrix24.deal.added"]


def test_messages_of_one_item_are_answered_together(relay):
    """A DELETE and an UPDATE of one item both come back if its reading fails."""
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "X")
    relay.event(1, "delete")
    relay.event(1)
    relay.settle()
    assert len(relay.queues.bodies("track")) == 2


def test_a_hint_that_waited_for_its_event_is_judged_among_fresh_ones(relay, monkeypatch):
    """Of merged hints, one that was received before is enough to judge absence."""
    monkeypatch.setenv("GRACE_SECONDS", "30")
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    del relay.portal.items[2][1]
    relay.event(1)
    assert relay.settle() == []
    fresh = {"fresh": (event_message("ONCRMDEALUPDATE", 1, "update"), {})}
    relay.queues.messages[URL + "track"] = fresh | relay.queues.messages[URL + "track"]
    assert [one["type"] for one in relay.settle()] == ["com.bitrix24.deal.deleted"]


@pytest.mark.parametrize("event_first", [False, True])
def test_a_merged_hint_has_the_reasons_of_both(event_first):
    """An event and a sweep's hint of one item are one hint with everything that either says."""
    key = Key("main", "deal", 1)
    event = Hint(key, via=EVENT, by_webhook=True, added=True, messages={"a"})
    swept = Hint(key, deleted=True, baseline=True, received_before=True, messages={"b"})
    first, second = (event, swept) if event_first else (swept, event)
    assert merge([first, second]) == {
        key: Hint(
            key,
            via=EVENT,
            by_webhook=True,
            added=True,
            deleted=True,
            baseline=True,
            received_before=True,
            messages={"a", "b"},
        )
    }


def test_two_hints_of_sweeps_are_no_event():
    """A hint that was merged from hints of sweeps alone is a sweep's."""
    key = Key("main", "deal", 1)
    assert merge([Hint(key), Hint(key)])[key].via == SWEEP


@pytest.mark.parametrize("body", ["[]", "{}", '{"type":"x"}', '{"type":"com.bitrix24.relay.hint"}'])
def test_messages_of_others_are_dead_lettered(relay, body):
    """A message that is neither event nor hint is dead-lettered."""
    relay.send(body)
    relay.track_all()
    assert len(relay.queues.bodies("dead")) == 1
