"""ops.pace: a rate is kept, at any speed of AWS."""

from itertools import pairwise

import pytest

from ops import pace
from ops.pace import Pace
from ops.stopping import Stop


class Clock(Stop):
    """A clock that a sleep moves on; `stop` at the same time."""

    def __init__(self):
        super().__init__()
        self.now = 100.0

    def monotonic(self):
        """Return its time."""
        return self.now

    def sleep(self, seconds):
        """Let so much time pass."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """Return the clock that the pace reads."""
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


@pytest.mark.parametrize(("rate", "size"), [(0, 10), (0.5, 1), (1, 1), (7.5, 7), (100, 10)])
def test_a_step_is_no_more_than_a_second_allows(clock, rate, size):
    """At one a second things go one by one, not ten at once every ten seconds."""
    assert Pace(rate, 10, clock).size == size


@pytest.mark.parametrize("step_seconds", [0, 0.1, 0.19])
def test_steps_that_take_time_do_not_slow_it_down(clock, step_seconds):
    """Fifty at five a second take ten seconds, less one step: the first goes at once."""
    rate = Pace(5, 10, clock)
    for _ in range(10):
        rate.wait(5)
        clock.now += 5 * step_seconds
    assert clock.now == pytest.approx(100 + 9 + 5 * step_seconds)


def test_what_a_slow_step_missed_is_not_caught_up(clock):
    """After a minute without an answer things go at the rate, not 300 at once."""
    rate, sent = Pace(5, 10, clock), []
    for number in range(20):
        rate.wait(5)
        sent.append(clock.now)
        clock.now += 60 * (number == 5)
    assert [one - before for before, one in pairwise(sent[7:])] == [1.0] * 12


def test_without_a_rate_nothing_waits(clock):
    """RATE=0 is no limit."""
    rate = Pace(0, 10, clock)
    for _ in range(100):
        rate.wait(10)
    assert clock.now == 100.0
