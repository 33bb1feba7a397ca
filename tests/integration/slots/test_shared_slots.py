"""relay.portal.shared_slots: copies share one limit, and never exceed the portal's bucket."""

import random
from types import SimpleNamespace

import pytest

from relay.errors import TransientError
from relay.portal.slots import Pace
from tests.portal_slots import copies, take_and_wait


class Bucket:
    """The leaky bucket of a portal."""

    def __init__(self, level=0.0, burst=50, rate=2):
        """Begin with some requests in the bucket."""
        self.level, self.at, self.burst, self.rate = level, None, burst, rate

    def takes(self, now):
        """Add a request at this time; return whether the portal accepts it."""
        elapsed = now - (self.at if self.at is not None else now)
        self.level = max(self.level - elapsed * self.rate, 0) + 1
        self.at = now
        return self.level <= self.burst


def test_an_absent_row_means_a_full_bucket(table, clock):
    """Without a row slots come at the rate, as after a full burst, and the portal refuses none."""
    (slots,) = copies(table, 1)
    bucket = Bucket(level=50)
    bucket.takes(clock.now - 0.5)
    bucket.level = 50
    times = [take_and_wait(slots, clock) for _ in range(120)]
    assert all(bucket.takes(at) for at in times)
    assert times[0] - 1_000_000 == pytest.approx(3, abs=0.1)


def test_after_a_pause_the_burst_is_free_at_once(table, clock):
    """45 slots are free at once, the burst less the margin for clocks, then two a second."""
    (slots,) = copies(table, 1)
    take_and_wait(slots, clock)
    clock.now += 1000
    began = clock.now
    times = [slots.take(began + 1000) - began for _ in range(60)]
    assert sum(at <= 0 for at in times) == 45
    assert times[-1] == pytest.approx(7.5, abs=0.01)


@pytest.mark.parametrize(("rest", "free"), [(0.4, True), (0.6, False), (3600, False)])
def test_idle_time_of_more_than_half_a_second_is_not_saved_up(table, clock, rest, free):
    """After 0.4 s the bucket counts on from the past time, after 0.6 s from now."""
    (slots,) = copies(table, 1)
    take_and_wait(slots, clock)
    empty_at = int(table.row()["empty_at"]["N"])
    clock.now = empty_at / 1000 + rest
    slots.take(clock.now + 10)
    begins = empty_at if free else round(clock.now * 1000)
    assert int(table.row()["empty_at"]["N"]) == begins + 500


def test_a_slot_at_the_last_moment_is_taken(table, clock):
    """A slot at exactly `latest` is reserved; a later one raises NO_SLOT."""
    (slots,) = copies(table, 1)
    take_and_wait(slots, clock)
    clock.now += 1000
    while True:
        slot = slots.take(clock.now + 10)
        if slot > clock.now:
            break
    with pytest.raises(TransientError, match="NO_SLOT"):
        slots.take(slot + 0.499)
    assert slots.take(slot + 0.5) == pytest.approx(slot + 0.5)


def test_a_slot_costs_one_write_where_the_bucket_is_as_after_the_last_pause(table, clock):
    """A copy that is alone finds it idle, one that follows another copy finds it in use."""
    first, second = copies(table, 2)
    take_and_wait(first, clock)
    writes = []
    for _ in range(4):
        clock.now += 1000
        for copy in (first, second, second):
            before = table.writes
            copy.take(clock.now + 10)
            writes.append(table.writes - before)
    assert writes == [1, 2, 1, *[1, 1, 1] * 3]


def test_a_long_pause_and_a_short_one_are_told_apart(table, clock):
    """A copy that reads an event, and soon what a reaction wrote after it, writes once for each."""
    track, reaction = copies(table, 2)
    take_and_wait(track, clock)
    writes = []
    for _ in range(4):
        clock.now += 1000
        track.take(clock.now + 10)
        clock.now += 3
        reaction.take(clock.now + 10)
        before = table.writes
        track.take(clock.now + 10)
        clock.now += 1000
        track.take(clock.now + 10)
        writes.append(table.writes - before)
    assert writes == [3, 2, 2, 2]


def writes_of_pairs(slots, table, clock, gaps):
    """Return the writes of two requests after each long pause, so many seconds apart."""
    writes = []
    for gap in gaps:
        clock.now += 100
        before = table.writes
        assert slots.take(clock.now + 10) <= clock.now
        clock.now += gap
        assert slots.take(clock.now + 10) <= clock.now
        writes.append(table.writes - before)
    return writes


def test_two_requests_after_a_pause_cost_one_write_once_they_have_come_together(table, clock):
    """The second of a pair has its slot in the row, a later request has a slot of its own."""
    (slots,) = copies(table, 1)
    take_and_wait(slots, clock)
    assert writes_of_pairs(slots, table, clock, [0.5, 0.5, 1.0]) == [2, 1, 1]
    assert int(table.row()["empty_at"]["N"]) == round(clock.now * 1000)  # two steps, a second ago
    assert writes_of_pairs(slots, table, clock, [1.1])[0] > 1
    clock.now += 100
    slots.take(clock.now + 10)
    assert int(table.row()["empty_at"]["N"]) == round(clock.now * 1000) + 500  # one at a time again


def test_a_refusal_takes_the_second_slot_of_a_pair_back(table, clock):
    """After a 503 the second request waits as every other one."""
    (slots,) = copies(table, 1)
    take_and_wait(slots, clock)
    writes_of_pairs(slots, table, clock, [0.5])
    clock.now += 100
    slots.take(clock.now + 10)
    slots.refused()
    assert slots.take(clock.now + 100) > clock.now


@pytest.mark.parametrize("seed", range(3))
def test_copies_whose_clocks_differ_by_two_seconds_do_not_overrun(table, clock, seed):
    """Six copies with wrong clocks, in random order, never overfill the portal's bucket."""
    chance = random.Random(seed)
    several = [(slots, chance.uniform(-1, 1)) for slots in copies(table, 6)]
    take_and_wait(several[0][0], clock)
    true = clock.now = clock.now + chance.choice([5, 100])
    sent = []
    for _ in range(150):
        slots, wrong = chance.choice(several)
        clock.now = true + wrong
        slot = slots.take(clock.now + 1000)
        sent.append(max(slot - wrong, true))
        true += chance.choice([0, 0, 0, 0.2])
    bucket = Bucket(level=0)
    assert all(bucket.takes(at) for at in sorted(sent))


def test_copies_that_wake_up_together_each_have_a_slot(table, clock):
    """A copy that loses the race for an idle bucket gets a slot in its second attempt."""
    first, *others = copies(table, 5, Pace(burst=2500, rate=50))
    take_and_wait(first, clock)
    clock.now += 100
    real = table.client.update_item

    def slow(**arguments):
        clock.now += 0.05
        if "SET empty_at = :next" in arguments["UpdateExpression"] and others:
            others.pop().take(clock.now + 10)
        return real(**arguments)

    before = table.writes
    table.client = SimpleNamespace(update_item=slow)
    assert first.take(clock.now + 10) <= clock.now
    assert others == []
    assert table.writes - before == 2 * 5 - 1  # lose, win; the quickest wins at once


def test_slots_are_handed_out_in_order(table, clock):
    """A hundred slots taken by four copies in turn are in order and all different."""
    several = copies(table, 4)
    slots = [several[n % 4].take(clock.now + 1000) for n in range(100)]
    assert slots == sorted(slots)
    assert len(set(slots)) == 100


def test_a_slot_after_the_functions_time_is_not_taken(table, clock):
    """NO_SLOT has the time to retry after, and the row is unchanged."""
    (slots,) = copies(table, 1)
    for _ in range(60):
        slots.take(clock.now + 1000)
    before = table.row()["empty_at"]
    with pytest.raises(TransientError, match="NO_SLOT") as caught:
        slots.take(clock.now + 5)
    assert 25 < caught.value.retry_after < 45
    assert table.row()["empty_at"] == before


def test_the_first_slot_may_be_too_late(table, clock):
    """NO_SLOT for a new portal writes its row, so that a minute later the bucket is empty."""
    (slots,) = copies(table, 1)
    with pytest.raises(TransientError, match="NO_SLOT"):
        slots.take(clock.now + 1)
    clock.now += 60
    assert slots.take(clock.now + 1) < clock.now


def test_a_copy_that_loses_every_race_raises(table, clock, monkeypatch):
    """After 20 lost races a copy raises NO_SLOT."""
    (slots,) = copies(table, 1)
    old = {"empty_at": {"N": "1"}}
    monkeypatch.setattr(slots, "_update", lambda *_, **__: old)
    with pytest.raises(TransientError, match="NO_SLOT"):
        slots.take(clock.now + 1000)
