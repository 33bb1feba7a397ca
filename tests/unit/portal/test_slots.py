"""relay.portal.slots: a bucket drains to empty and no further, and never holds too much."""

from dataclasses import replace

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
    """After an hour without requests 45 slots are free at once, as after a minute."""
    slots = OwnSlots(PACE)
    assert at_once(slots, clock) == 45
    clock.now += seconds
    assert at_once(slots, clock) == min(seconds * 2, 45)


@pytest.mark.parametrize(("copies", "seconds"), [(10, 5), (1, 0.5)])
def test_a_copy_of_several_saves_up_one_request(clock, copies, seconds):
    """One of ten copies has one slot at once and then one every 5 s."""
    slots = OwnSlots(replace(PACE, burst=1, rate=PACE.rate / copies))
    clock.now += 3600
    assert at_once(slots, clock) == 1
    assert slots.take(clock.now + 60) - clock.now == pytest.approx(seconds)
    assert slots.take(clock.now + 60) - clock.now == pytest.approx(2 * seconds)


def test_a_slot_at_the_last_moment_is_taken(clock):
    """A slot at exactly `latest` is reserved; a later one raises NO_SLOT and reserves nothing."""
    slots = OwnSlots(PACE)
    at_once(slots, clock)
    for _ in range(2):
        with pytest.raises(TransientError, match=NO_SLOT):
            slots.take(clock.now + 0.499)
    assert slots.take(clock.now + 0.5) == pytest.approx(clock.now + 0.5)


def test_slots_that_may_be_used_up_begin_at_random(clock):
    """Twenty copies that start together with `full` begin at different times."""
    slots = [OwnSlots(PACE, full=True) for _ in range(20)]
    first = {round(each.take(clock.now + 100) - clock.now, 3) for each in slots}
    assert len(first) > 10
    assert max(first) <= PACE.full - PACE.room + PACE.step


def test_a_refusal_never_brings_slots_forward(clock):
    """A refusal does not move a slot that is later than a full bucket's."""
    slots = OwnSlots(PACE)
    for _ in range(100):
        slots.take(clock.now + 1000)
    before = slots.take(clock.now + 1000)
    slots.refused()
    assert slots.take(clock.now + 1000) == pytest.approx(before + 0.5)


def test_a_small_limit_lets_one_request_through(clock):
    """A limit smaller than the margin for clocks still allows one request at a time."""
    assert at_once(OwnSlots(Pace(burst=2, rate=2, reserve=0)), clock) == 1
    assert Pace(burst=2, rate=2, reserve=0).full == pytest.approx(1)


def test_the_time_to_retry_is_no_earlier_than_the_slot(clock):
    """`retry_after` is jittered upwards by 1 s and a tenth, and is up to 1 s for a past slot."""
    waits = [no_slot(clock.now + 20).retry_after for _ in range(50)]
    assert min(waits) >= 20
    assert max(waits) <= 23
    assert len(set(waits)) > 10
    assert 0 <= no_slot(clock.now - 20).retry_after <= 1


def test_a_process_without_a_table_keeps_its_own_limit(clock):
    """45 slots are free at once, then two a second; after a refusal the next comes 3 s later."""
    slots = OwnSlots(PACE)
    times = [slots.take(clock.now + 100) - clock.now for _ in range(48)]
    assert sum(at <= 0 for at in times) == 45
    with pytest.raises(TransientError, match="NO_SLOT"):
        slots.take(clock.now)
    clock.now += 1000
    slots.refused()
    assert slots.take(clock.now + 10) - clock.now == pytest.approx(3)


@pytest.mark.parametrize(("burst", "rate"), [(50, 2), (250, 5)])
def test_the_reserve_lowers_rate_and_burst(burst, rate):
    """A reserve of a tenth leaves nine tenths of burst and rate."""
    pace = Pace(burst, rate)
    assert 1 / pace.step == pytest.approx(rate * 0.9)
    assert pace.room / pace.step == pytest.approx(burst * 0.9 - 2.5 * rate)
