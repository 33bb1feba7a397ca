"""local.telling: what a person reads while `make run` is up."""

import pytest
from rich.text import Text

from local.telling import clock, steps, words


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            {"service": "follow_up", "message": "handled", "change_id": "c"},
            "follow_up[/] handled c",
        ),
        ({"service": "call_back", "message": "handled", "event_id": "e"}, "call_back[/] handled e"),
        (
            {"service": "follow_up", "message": "comes back", "change_id": "c", "reason": "so"},
            "follow_up[/] comes back: so",
        ),
    ],
)
def test_changes_and_what_handled_them_are_told_apart(line, said):
    """A reaction's line names the reaction, whether a change or an event made it run."""
    assert words(line).endswith(said)


def test_what_others_have_written_is_no_markup():
    """A reason quotes a message: a bracket in it must not end the terminal's programme."""
    line = {"service": "journal", "message": "dead-lettered", "reason": "[/red] [bold"}
    assert Text.from_markup(words(line)).plain == "journal dead-lettered: [/red] [bold"
    line = {"service": "journal", "message": "[/]", "payload": {}, "entity": "[/deal]"}
    assert Text.from_markup(words(line)).plain == "[/]  [/deal]"
    line = {"service": "[/]", "message": "handled", "event_id": "[/]"}
    assert Text.from_markup(words(line)).plain == "[/] handled [/]"


@pytest.mark.parametrize(
    "line",
    [
        {"message": {"a": 1}},
        {"message": ["handled"], "timestamp": 5},
        {"message": "handled", "service": "mine"},
        {"message": "published", "timestamp": "yesterday"},
    ],
)
def test_a_line_of_another_shape_is_told_or_passed_over(line):
    """A reaction logs what it likes."""
    assert words(line) in {None, "[green]mine[/] handled None"}
    assert steps(line) == []
    assert len(clock(line)) == 8
