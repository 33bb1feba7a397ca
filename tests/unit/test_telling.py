"""local.telling: what a person reads while `make run` is up."""

import pytest

from local.telling import words


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
