"""relay.reaction.equal_calls: two events of equal calls of a robot have one effect."""

import pytest
from hypothesis import Phase

from relay.reaction.equal_calls import EqualCalls
from tests.once_machine import Machine, explore

AT_MS = 1_766_047_128_000
ROW = "done#send_contract#main.robot.send_contract.d1.{}"


def call(window, called_at):
    """Return a robot's record: the key of its checkpoint, and where equal calls have theirs."""
    around = tuple(ROW.format(window + step) for step in (-1, 1))
    return ROW.format(window), EqualCalls(around, called_at)


class Edge(Machine):
    """Two equal calls, 9 s apart, with a window's edge between them."""

    records = (call(176_604_712, AT_MS), call(176_604_713, AT_MS + 9_000))


class Reordered(Machine):
    """The same two calls; the later event is delivered first."""

    records = Edge.records[::-1]


@pytest.mark.parametrize("machine", [Edge, Reordered])
def test_equal_calls_on_both_sides_of_an_edge_have_one_effect(machine):
    """Either first, both at once, killed, lost, late: one effect, or a person is told."""
    explore(150, machine=machine)


def no_check(monkeypatch):
    """Store a first checkpoint whatever the row of the other call."""
    monkeypatch.setattr(EqualCalls, "checks", lambda _: [])


def one_side(monkeypatch):
    """Look at the window before only: the later call may be stored first."""
    checks = EqualCalls.checks
    monkeypatch.setattr(EqualCalls, "checks", lambda self: checks(self)[:1])
    monkeypatch.setattr(EqualCalls, "key_in", lambda _self, _rows, own: own)


def no_time(monkeypatch):
    """Store no time of the call: then each row counts as far away."""
    init = EqualCalls.checks

    def checks(self):
        return init(self._replace(called_at=0))

    monkeypatch.setattr(EqualCalls, "checks", checks)


@pytest.mark.parametrize("mutant", [no_check, one_side, no_time])
def test_the_machine_finds_each_mistake(monkeypatch, mutant):
    """Without any one part of the protocol two events have two effects."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        explore(300, phases=(Phase.generate,), machine=Edge)
