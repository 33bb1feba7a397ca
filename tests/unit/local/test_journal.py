"""local.journal: what is told of code that was saved."""

import pytest

from local.journal import notices
from local.live import Taken

MINE = "src/relay/reactions/mine.py"


@pytest.mark.parametrize(
    ("taken", "text"),
    [
        (Taken((MINE,), ("MineFunction",), False, 0.94), f"{MINE} in MineFunction, after 0.9 s"),
        (
            Taken(("a.py", "template.yaml"), ("A", "B"), True, 1.0),
            "a.py, template.yaml in A, B and the updated stack, after 1.0 s",
        ),
        (Taken(("d.json",), (), False, 0.0), "d.json in no function, after 0.0 s"),
        (Taken(("a", "b", "c", "d"), ("A",), False, 0.0), "a, b, c and 1 more in A, after 0.0 s"),
        (
            Taken(("a",), ("A", "B", "C", "D", "E"), True, 0.0),
            "a in A, B, C and 2 more and the updated stack, after 0.0 s",
        ),
    ],
)
def test_what_runs_is_told_with_its_functions(taken, text):
    """The line names the files, the functions that run them now, and the seconds."""
    (notice,) = notices(taken)
    assert (notice.verdict, notice.text, notice.lines, notice.bad) == ("running", text, [], False)


def test_what_can_not_run_is_told_with_its_lines():
    """The lines of the error follow, after what runs; what is not saved is not told."""
    trouble = f"NameError: x\n{MINE}:3 in <module>"
    (notice,) = notices(Taken((), (), False, 0.1, trouble))
    assert (notice.verdict, notice.bad) == ("not running", True)
    assert notice.lines == ["NameError: x", f"{MINE}:3 in <module>"]
    both = list(notices(Taken(("a.py",), ("A",), False, 0.1, trouble)))
    assert [one.verdict for one in both] == ["running", "not running"]
    assert list(notices(None)) == []
