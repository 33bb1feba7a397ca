"""relay.portal.slots: a bucket drains to empty and no further, and holds no more than it may."""

import pytest

from relay.errors import TransientError
from relay.portal.slots import NO_SLOT, OwnSlots, Pace, no_slot

PACE = Pace(burst=50, rate=2, reserve=0)  # usable: 50 less 2.5 s at 2/s = 45


def at_once(slots, clock, most=10_000):
    """Return how many requests may go now."""
    for number in range(most):
        try:
            slots.take(clock.now)
        except TransientError:
            return number
    return most


@pytest.mark.parametrize("seconds", [0, 60, 3600])
def test_idle_time_saves_up_no_more_than_the_burst(clock, seconds):
    """After an hour without a request the burst goes at once, not the hour's requests."""
    slots = OwnSlots(PACE)
    assert at_once(slots, clock) == 45
    clock.now += seconds
    assert at_once(slots, clock) == min(seconds * 2, 45)


@pytest.mark.parametrize(("copies", "seconds"), [(10, 5), (1, 0.5)])
def test_a_copy_of_several_saves_up_one_request(clock, copies, seconds):
    """Each knows nothing of the others: together they keep to the portal's rate."""
    slots = OwnSlots(PACE.shared_by(copies))
    clock.now += 3600
    assert at_once(slots, clock) == 1
    assert slots.take(clock.now + 60) - clock.now == pytest.approx(seconds)
    assert slots.take(clock.now + 60) - clock.now == pytest.approx(2 * seconds)


def test_a_slot_at_the_last_moment_is_taken(clock):
    """The latest time is one at which a request may still go; after it nothing is reserved."""
    slots = OwnSlots(PACE)
    at_once(slots, clock)
    for _ in range(2):
        with pytest.raises(TransientError, match=NO_SLOT):
            slots.take(clock.now + 0.499)
    assert slots.take(clock.now + 0.5) == pytest.approx(clock.now + 0.5)


def test_a_bucket_that_may_be_full_begins_somewhere_in_it(clock):
    """Copies that start together do not go on together."""
    slots = [OwnSlots(PACE, full=True) for _ in range(20)]
    first = {round(each.take(clock.now + 100) - clock.now, 3) for each in slots}
    assert len(first) > 10
    assert max(first) <= PACE.full - PACE.room + PACE.step


def test_a_refusal_never_brings_slots_forward(clock):
    """A bucket that is known to be fuller stays so."""
    slots = OwnSlots(PACE)
    for _ in range(100):
        slots.take(clock.now + 1000)
    before = slots.take(clock.now + 1000)
    slots.refused()
    assert slots.take(clock.now + 1000) == pytest.approx(before + 0.5)


def test_a_small_limit_lets_one_request_through(clock):
    """The margin for clocks leaves no less than one."""
    assert at_once(OwnSlots(Pace(burst=2, rate=2, reserve=0)), clock) == 1
    assert Pace(burst=2, rate=2, reserve=0).full == pytest.approx(1)


def test_the_time_to_come_back_is_no_earlier_than_the_slot(clock):
    """Jittered upwards; a slot that is over means at once."""
    waits = [no_slot(clock.now + 20).retry_after for _ in range(50)]
    assert min(waits) >= 20
    assert max(waits) <= 23
    assert len(set(waits)) > 10
    assert 0 <= no_slot(clock.now - 20).retry_after <= 1
