"""ops.subscribed: the events that a portal has to send."""

from ops.subscribed import TRACKED, subscribed_events
from relay.ingress.recognise import CATALOGUE


def test_the_events_of_mirrored_items_and_of_reactions_are_listed():
    """Each event is in the catalogue, and the ready reactions' own are among them."""
    events = subscribed_events()
    assert set(events) >= TRACKED
    assert "ONCRMCONTACTADD" in events
    assert {"ONTASKADD", "ONCRMDEALUPDATE", "ONCRMDYNAMICITEMDELETE"} <= TRACKED
    assert set(events) <= set(CATALOGUE)
    assert events == sorted(events)
