"""ops.subscribed: the events that a portal has to send."""

import pytest

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


@pytest.mark.parametrize(
    ("parts", "more"),
    [
        ("steps,products,deal.contacts", set()),
        ("activities", {"ONCRMACTIVITYADD", "ONCRMACTIVITYUPDATE", "ONCRMACTIVITYDELETE"}),
        (
            "contact.requisites",
            {
                "ONCRMREQUISITEADD",
                "ONCRMREQUISITEUPDATE",
                "ONCRMBANKDETAILADD",
                "ONCRMBANKDETAILUPDATE",
            },
        ),
    ],
)
def test_what_parts_asks_for_has_its_events_listed(parts, more):
    """Events that nothing would be read for are not asked for."""
    assert set(subscribed_events(parts)) - set(subscribed_events()) == more
    assert set(subscribed_events(parts)) <= set(CATALOGUE)
