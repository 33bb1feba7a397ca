"""Which steps of an item are told, and what its row remembers of them."""

import pytest

from relay.tracking import steps
from relay.tracking.steps import MOST_STEPS, Step, StepLog, merge

MOSCOW, LONDON = "2026-03-01T12:00:00+03:00", "2026-03-01T09:00:00+00:00"


def step(number, stage="NEW"):
    """Return a step with an id."""
    return Step(number, stage, 0, "2026-03-01T09:00:00Z")


def test_steps_are_told_in_the_order_of_their_ids():
    """Rows in any order, some of them twice, become steps in order, once each."""
    new, log = merge(StepLog(1), [step(3), step(2), step(3)], 1)
    assert [one.id for one in new] == [2, 3]
    assert log == StepLog(1, (2, 3))


def test_a_step_that_appears_late_is_told_after_one_with_a_higher_id():
    """An id below one that was told counts as new until the history is settled beyond it."""
    _, log = merge(StepLog(1), [step(3)], 1)
    new, log = merge(log, [step(2), step(3)], 1)
    assert [one.id for one in new] == [2]
    assert merge(log, [step(2), step(3)], 1)[0] == []


def test_what_is_settled_needs_no_ids():
    """Ids up to the settled one are told by the floor alone, and the floor never goes back."""
    _, log = merge(StepLog(1, (4, 6)), [step(7)], 5)
    assert log == StepLog(5, (6, 7))
    assert merge(log, [], 3)[1] == log
    assert log.has(2)
    assert not log.has(8)


def test_a_row_that_vanished_changes_nothing():
    """A told step that is no longer in the history is neither told nor untold."""
    log = StepLog(1, (2, 3))
    assert merge(log, [step(3)], 1) == ([], log)


def test_the_ids_above_the_floor_are_bounded(monkeypatch):
    """If no sweep settles the history, the oldest ids become the floor."""
    monkeypatch.setattr(steps, "MOST_ABOVE", 3)
    _, log = merge(StepLog(), [step(number) for number in range(1, 6)], 0)
    assert log == StepLog(2, (3, 4, 5))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"ID": 7, "CREATED_TIME": MOSCOW, "CATEGORY_ID": 9, "STAGE_ID": "C9:WON"},
            Step(7, "C9:WON", 9, "2026-03-01T09:00:00Z"),
        ),
        (  # an older portal
            {"ID": "7", "CREATED_TIME": LONDON, "CATEGORY_ID": "0", "STAGE_ID": "WON"},
            Step(7, "WON", 0, "2026-03-01T09:00:00Z"),
        ),
        (  # a lead
            {"ID": "7", "CREATED_TIME": LONDON, "STATUS_ID": "JUNK"},
            Step(7, "JUNK", None, "2026-03-01T09:00:00Z"),
        ),
    ],
)  # fmt: skip
def test_a_row_of_the_history_is_read_whatever_its_ids_are(row, expected):
    """Ids may be numbers or texts, leads have a status in place of a stage, times become UTC."""
    assert Step.of(row) == expected


def test_what_is_stored_is_read_back():
    """Steps and log survive the row of the mirror."""
    moves = (step(1), Step(2, "ГОТОВО", None, "2026-03-01T09:00:01Z"))
    assert steps.parse(steps.to_text(moves)) == moves
    assert steps.to_text(()) == ""
    assert steps.parse("") == ()
    for log in (StepLog(), StepLog(5, (6, 9))):
        assert StepLog.parse(log.to_text()) == log


def test_a_version_tells_the_newest_steps_at_most():
    """Of more steps than a row has room for the newest are kept."""
    kept = steps.parse(steps.to_text([step(number) for number in range(MOST_STEPS + 5)]))
    assert len(kept) == MOST_STEPS
    assert kept[0].id == 5
