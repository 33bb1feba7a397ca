"""What parts cost in requests, and that ten thousand moves arrive, once each and in order."""

import random

import pytest

from relay.tracking import track
from tests.parts_portal import PartsPortal
from tests.tracking_aws import OLD, changes
from tests.tracking_relay import joined

ITEMS = 10_000
MORE_REQUESTS = 12  # for the first filling
MOVES = 10_000


@pytest.fixture
def relay(monkeypatch):
    """Return the handlers, joined, with a portal of parts."""
    with joined(monkeypatch, PartsPortal((2,)), PARTS="steps,products") as relay:
        yield relay


def requests_of_filling(relay, parts, monkeypatch):
    """Fill a mirror for the first time; returns the requests of sweeps and readings."""
    monkeypatch.setenv("PARTS", parts)
    before = relay.portal.requests
    assert relay.sweep() == {"main": "done"}
    relay.track_all(size=50)  # messages of 50 ids: 2,500 items
    return relay.portal.requests - before


def test_the_first_filling_costs_twelve_requests_more_at_most(relay, monkeypatch):
    """Ten thousand items are filled in with their parts in few requests more than without."""
    for number in range(1, ITEMS + 1):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    without = requests_of_filling(relay, "none", monkeypatch)
    relay.dynamo.mirror.clear()
    relay.dynamo.state.clear()
    track._documents.clear()  # noqa: SLF001
    whole = requests_of_filling(relay, "steps,products", monkeypatch)
    assert len(relay.dynamo.mirror) == ITEMS
    assert whole - without <= MORE_REQUESTS


@pytest.mark.parametrize(("rows_before", "rows", "moved", "most"), [
    (5, 5, True, 4),
    (0, 5, True, 4),  # nothing shows that they have rows now
    (0, 0, False, 1),
])  # fmt: skip
def test_a_thousand_whole_changes_are_four_requests(relay, rows_before, rows, moved, most):
    """A thousand changed deals with a move and five product rows each are four requests at most."""
    portal, numbers = relay.portal, range(1, 1001)
    for number in numbers:
        portal.put(2, number, title="a", stageId="NEW", updatedTime=OLD)
        portal.step(2, number, "NEW")
        portal.set_rows(2, number, *({"productName": f"P{n}"} for n in range(rows_before)))
    relay.baseline()
    for number in numbers:
        portal.put(2, number, title="b")
        if moved:
            portal.move(2, number, "WON", 1)
        portal.set_rows(2, number, *({"productName": f"Q{n}"} for n in range(rows)))
        relay.event(number)
    before = portal.requests
    announced = changes(relay.settle())
    assert portal.requests - before <= most
    assert len(announced) == len(numbers)
    assert {change.passed for change in announced} == ({("WON",)} if moved else {()})
    assert {len(change.after["productRows"] or ()) for change in announced} == {rows}


def test_ten_thousand_moves_in_bursts_are_told_once_each_and_in_order(relay):
    """Moves in bursts, with events lost, doubled and late, through two funnels, all arrive."""
    dice, portal, waiting = random.Random(1), relay.portal, []
    for number in range(1, 301):
        portal.put(2, number, stageId="S0", updatedTime=OLD)
    relay.baseline()
    relay.sweep()
    moved = {}
    for at in range(MOVES):
        number = dice.randint(1, 300)
        category = dice.choice([0, 9])
        portal.put(2, number, stageId=f"S{at}", categoryId=category)
        portal.step(2, number, f"S{at}", at)
        moved.setdefault(str(number), []).append(f"S{at}")
        waiting += [number] * dice.choice([0, 0, 1, 2])
        if dice.random() < 0.003:
            dice.shuffle(waiting)
            for late in waiting[: len(waiting) * 2 // 3]:
                relay.event(late)
            waiting = waiting[len(waiting) * 2 // 3 :]
            relay.settle()
        if dice.random() < 0.002:
            relay.sweep()
    relay.sweep()
    relay.settle()
    announced = {}
    for change in changes(relay.topic.published):
        announced.setdefault(change.id, []).extend(step["stageId"] for step in change.steps)
    assert announced == moved
