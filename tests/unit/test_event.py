"""relay.event: an event is read back from its JSON, and nothing else is taken for one."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import NotOursError
from relay.event import Document, Event
from tests.samples import load

texts = st.none() | st.text(st.characters(codec=None), max_size=8)
events = st.builds(
    Event,
    event_id=st.text(max_size=8),
    portal=st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True),
    name=st.text(max_size=8),
    time=st.text(max_size=8),
    entity=texts,
    action=texts,
    entity_type_id=st.none() | st.integers(1, 2000),
    id=texts,
    sent_at=texts,
    domain=texts,
    member_id=texts,
    handler_id=texts,
    payload=st.dictionaries(st.text(max_size=4), texts),
)


@given(events)
def test_an_event_survives_its_journey(event):
    """Any event is equal after it was JSON, whatever characters are in it."""
    message = event.to_json()
    message.encode()  # fit to be sent: no lone surrogate is left
    assert Event.from_cloudevent(json.loads(message)) == event


@pytest.mark.parametrize(
    ("entity", "item_id", "subject"),
    [("deal", "6", "deal/6"), (None, "6", None), ("deal", None, None), (None, None, None)],
)
def test_an_event_of_an_unknown_item_has_no_subject(entity, item_id, subject):
    """Entity and id together are the subject; one alone is none."""
    event = replace(load("sqs_contact_added"), entity=entity, id=item_id)
    assert event.subject == subject
    assert json.loads(event.to_json()).get("subject") == subject


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "com.bitrix24.deal.updated"}, r"not com\.bitrix24\.event"),
        ({"data": {"event": "ONCRMDEALADD"}}, "no 'entity' in its data"),
    ],
)
def test_another_document_is_no_event(change, reason):
    """A CloudEvent that is not one of this relay's events raises NotOursError."""
    document = json.loads(load("sqs_contact_added").to_json())
    with pytest.raises(NotOursError, match=reason):
        Event.from_cloudevent(document | change)


def test_an_event_of_a_robot_survives_its_envelope():
    """Name, document and parameters of a robot's event are the same once it was published."""
    event = load("sqs_robot_called")
    assert event.name == "robot.start_from_robot"
    assert event.document == Document("deal", "42")
    assert event.params == {"sum": "123.45|RUB", "who": "user_23", "title": "Ёлка"}
    assert Event.from_cloudevent(json.loads(event.to_json())) == event


def test_an_event_of_the_portal_has_no_parameters():
    """Only robots have parameters; an event without an item has no document."""
    event = load("sqs_call_missed")
    assert event.params == {}
    assert replace(event, id=None).document is None
