"""Times of events show whether an outgoing webhook works."""

from relay.tracking.event_times import is_subscribed


def test_kinds_without_a_subscription_miss_nothing():
    """A kind that sent no event is not subscribed if other kinds sent events."""
    assert is_subscribed({}, "deal", 100)
    assert is_subscribed({"deal": 50}, "deal", 100)
    assert not is_subscribed({"deal": 50}, "contact", 100)
