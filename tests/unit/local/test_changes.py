"""local.changes: a change in one line, for a person at a terminal of 80 columns."""

from dataclasses import replace

from local.changes import step, words
from relay.change import Change

WON = Change(
    change_id="main.deal.662.1a.2",
    portal="main",
    entity="deal",
    entity_type_id=2,
    id="662",
    action="updated",
    version=2,
    time="2026-01-01T00:00:00Z",
    changed=("closed", "movedTime", "stageId", "stageSemanticId"),
    before={"closed": "N", "stageId": "NEW"},
    after={"closed": "Y", "stageId": "WON", "updatedBy": 1},
)


def test_a_change_is_told_by_what_a_person_did():
    """The field with both values, who and how it was seen; not what followed by itself."""
    assert words(WON) == "deal 662 stageId NEW -> WON by user 1, event"


def test_what_only_followed_is_told_where_there_is_nothing_else():
    """A change must not look like none."""
    assert words(replace(WON, changed=("closed",))) == "deal 662 closed N -> Y by user 1, event"


def test_many_and_long_values_are_cut():
    """A line stays a line."""
    names = tuple(f"UF_{number}" for number in range(5))
    long = replace(WON, changed=names, before={}, after=dict.fromkeys(names, "x" * 99))
    assert words(long).startswith(f"deal 662 UF_0 - -> {'x' * 29}…, UF_1")
    assert words(long).endswith("and 2 more, event")


def test_what_came_or_went_and_what_a_reaction_wrote_are_told():
    """Added and deleted have no fields; an echo is named as one."""
    gone = replace(WON, action="deleted", changed=(), after={}, via="sweep", origin="relay")
    assert words(gone) == "deal 662 deleted, sweep, written by a reaction"


def test_the_page_gets_the_changed_fields_only():
    """The strip shows field, before and after."""
    its = step(WON)
    assert (its["step"], its["subject"]) == ("changed", "deal/662")
    assert its["detail"]["before"]["stageId"] == "NEW"
    assert set(its["detail"]["after"]) == set(WON.changed)
