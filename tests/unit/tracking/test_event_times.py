"""Times of events show whether an outgoing webhook works."""

from relay.tracking.event_times import MISSED, WEEK_SECONDS, is_silent, is_subscribed


def test_kinds_without_a_subscription_miss_nothing():
    """A kind that sent no event is not subscribed if other kinds sent events."""
    assert is_subscribed({}, "deal", 100)
    assert is_subscribed({"deal": 50}, "deal", 100)
    assert not is_subscribed({"deal": 50}, "contact", 100)


def test_a_portal_without_any_event_counts_as_subscribed():
    """A missed change is no event: where nothing else is stored, the whole webhook is dead."""
    assert is_subscribed({MISSED: 50}, "deal", 100)


def test_events_of_the_week_before_say_nothing_of_a_subscription():
    """A kind counts as subscribed again when no event of another kind came within a week."""
    assert is_subscribed({"deal": 1}, "contact", WEEK_SECONDS + 2)
    assert not is_subscribed({"deal": 3}, "contact", WEEK_SECONDS + 2)


def test_a_webhook_is_silent_when_a_change_was_missed_after_its_last_event():
    """Silence needs both: hours without an event of any kind, and a change that had none since."""
    hour = 3600
    times = {"deal": 1.0 * hour, "lead": 4.0 * hour, MISSED: 5.0 * hour}
    assert is_silent(times, 11 * hour, hours=6)
    assert not is_silent(times, 9 * hour, hours=6)
    assert not is_silent(times | {MISSED: 3.0 * hour}, 11 * hour, hours=6)
    assert is_silent({MISSED: 5.0 * hour}, 11 * hour, hours=6)
