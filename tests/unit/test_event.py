"""relay.event: what is written is read back, and nothing else is taken for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import NotOursError
from relay.event import Event

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
    """Any event is the same after it was JSON, whatever characters are in it."""
    message = event.to_json()
    message.encode()  # fit to be sent: no lone surrogate is left
    assert Event.from_cloudevent(json.loads(message)) == event


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "x",
        None,
        {"type": "com.bitrix24.deal.updated", "data": {}},
        {"type": "com.bitrix24.event.a", "data": {}},
        {"type": 5, "data": {}},
    ],
)
def test_another_document_is_no_event(document):
    """What is not one of this relay's events is refused with NotOursError."""
    with pytest.raises(NotOursError, match=r"not an event|not com\.bitrix24"):
        Event.from_cloudevent(document)
