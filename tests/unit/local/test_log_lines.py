"""local.log_lines: the lines that `make run` prints."""

import pytest
from rich.text import Text

from local.log_lines import clock, steps, words


@pytest.mark.parametrize(
    ("line", "shown"),
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
        ({"service": "mine", "message": "[x]", "printed": True}, "[blue]mine[/] \\[x]"),
        ({"service": "mine", "message": "no phone", "deal": 5}, "[blue]mine[/] no phone  deal=5"),
        (
            {"service": "mine", "message": {"a": 1}, "level": "WARNING", "location": "mine:1"},
            '[blue]mine[/] WARNING {"a": 1}',
        ),
    ],
)
def test_changes_and_what_handled_them_are_told_apart(line, shown):
    """A line of a reaction names the reaction and the change or event."""
    assert words(line).endswith(shown)


def test_what_others_have_written_is_no_markup():
    """Brackets in a quoted text are printed, not taken for markup."""
    line = {"service": "journal", "message": "dead-lettered", "reason": "[/red] [bold"}
    assert Text.from_markup(words(line)).plain == "journal dead-lettered: [/red] [bold (make dead)"
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
    """A log line with odd types is shown or left out, and raises nothing."""
    assert words(line) in {None, "[green]mine[/] handled None"}
    assert steps(line) == []
    assert len(clock(line)) == 8


def test_a_failed_reaction_is_a_step_with_its_line():
    """The page is told the error, what becomes of the record, and the line of the reaction."""
    frame = {"file": "/var/task/relay/reactions/mine.py", "line": 7, "function": "mine"}
    line = {
        "service": "mine",
        "message": "comes back",
        "timestamp": "2026-05-04 10:00:00,000+0000",
        "change_id": "c",
        "error": "KeyError",
        "reason": "'title'",
        "stack_trace": {"frames": [{**frame, "statement": "deal['title']"}]},
    }
    (step,) = steps(line)
    assert (step["step"], step["event_id"]) == ("reacted", "c")
    assert step["detail"] == {
        "by": "mine",
        "error": "comes back: KeyError 'title'",
        "at": "src/relay/reactions/mine.py:7 in mine",
    }
    assert steps({**line, "service": "track"}) == []
    assert steps({**line, "printed": True}) == []
