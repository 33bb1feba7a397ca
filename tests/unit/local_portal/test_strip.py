"""The strip: which row a step belongs to."""

import pytest

from local.portal.strip import Strip


@pytest.fixture
def strip():
    """Make a strip with three events of one deal, the first of which was lost."""
    made = Strip()
    for number, outcome in ((1, "lost"), (2, "200"), (3, "200")):
        made.queued(number, "ONCRMDEALUPDATE", "deal/7", float(number))
        made.sent(number, outcome, 0.01, number + 0.5)
    return made


def steps(strip):
    """Which steps each row has taken."""
    return {number: set(row["steps"]) for number, row in strip.rows.items()}


def test_a_step_belongs_to_the_oldest_delivered_event_without_it(strip):
    """A lost event takes no further step; the others are told apart by their order."""
    for _ in range(2):
        strip.step({"step": "published", "subject": "deal/7", "time": 9.0})
    assert steps(strip) == {1: {"sent"}, 2: {"sent", "published"}, 3: {"sent", "published"}}


def test_an_event_id_keeps_later_steps_together(strip):
    """Once seen with a row, its steps go there whatever the subject says."""
    strip.step({"step": "published", "event_id": "a", "subject": "deal/7"})
    strip.step({"step": "published", "event_id": "b", "subject": "deal/7"})
    strip.step({"step": "changed", "event_id": "b", "detail": {"field": "title"}})
    assert steps(strip)[3] == {"sent", "published", "changed"}
    assert strip.rows[3]["steps"]["changed"]["field"] == "title"


def test_what_a_sweep_finds_begins_a_row_of_its_own(strip):
    """No event of the portal announced it; an invoice has one name on both sides."""
    strip.step({"step": "changed", "subject": "dynamic_31/5", "time": 9.0})
    assert strip.rows[-1]["subject"] == "invoice/5"
    assert strip.rows[-1]["event"] == ""


def test_followers_get_each_changed_row_once(strip):
    """Whatever happened to a row since the last look is one row."""
    first_version = strip.version
    strip.step({"step": "published", "subject": "deal/7"})
    strip.step({"step": "verified", "subject": "deal/7"})
    assert [row["number"] for row in strip.since(first_version)] == [2]
    assert strip.since(strip.version) == []


def test_only_the_newest_rows_are_kept(strip):
    """A long run doesn't fill the memory."""
    for number in range(10, 1000):
        strip.queued(number, "ONCRMDEALUPDATE", f"deal/{number}", float(number))
    assert len(strip.rows) == 400
    assert 999 in strip.rows


def test_nonsense_is_passed_over(strip):
    """Steps of unknown shape break nothing."""
    for record in ({}, {"step": None}, {"step": "x", "subject": 5, "detail": [], "time": "soon"}):
        strip.step(record)
    assert len(strip.rows) >= 3


def test_a_step_of_a_named_event_belongs_to_that_events_row(strip):
    """A robot's call and the event of the same item keep their steps apart."""
    strip.queued(4, "robot.send_contract", "deal/7", 4.0)
    strip.sent(4, "200", 0.01, 4.5)
    strip.step({"step": "published", "subject": "deal/7", "event": "robot.send_contract"})
    strip.step({"step": "published", "subject": "deal/7", "event": "ONCRMDEALUPDATE"})
    strip.step({"step": "published", "subject": "deal/7", "event": "ONANOTHER"})
    assert [n for n, row in strip.rows.items() if "published" in row["steps"]] == [2, 3, 4]
