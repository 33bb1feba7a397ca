"""Times of events show whether an outgoing webhook works."""

from relay.tracking.event_times import MISSED, is_subscribed


def test_kinds_without_a_subscription_miss_nothing():
    """A kind that sent no event is not subscribed if other kinds sent events."""
    assert is_subscribed({}, "deal", 100)
    assert is_subscribed({"deal": 50}, "deal", 100)
    assert not is_subscribed({"deal": 50}, "contact", 100)


def test_a_portal_without_any_event_counts_as_subscribed():
    """A missed change is no event: where nothing else is stored, the whole webhook is dead."""
    assert is_subscribed({MISSED: 50}, "deal", 100)
