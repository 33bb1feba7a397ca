"""errors.py: one tree, and who has to act on each."""

import re
from inspect import getsource
from pathlib import Path

import pytest

from relay import errors

SOURCE = Path(__file__).parents[2] / "src" / "relay"
TREE = [
    one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)
]


@pytest.mark.parametrize("error", TREE)
def test_each_error_is_a_relay_error_in_the_group_of_who_acts(error):
    """Every class derives from RelayError, ends in `Error` and stands below a group's comment."""
    assert issubclass(error, errors.RelayError)
    assert error.__name__.endswith("Error")
    before = getsource(errors).partition(f"class {error.__name__}(")[0]
    groups = re.findall(r"^# .*\bacts\b.*\.$", before, re.MULTILINE)
    assert groups or error is errors.RelayError


def test_no_other_module_defines_an_error():
    """Whoever looks for the package's errors finds all of them in one file."""
    elsewhere = [
        f"{path.relative_to(SOURCE)}: {name}"
        for path in SOURCE.rglob("*.py")
        if path.name != "errors.py"
        for name, bases in re.findall(
            r"^ *class (\w+)\(([^)]*)", path.read_text("utf-8"), re.MULTILINE
        )
        if re.search(r"(Error|Exception)\b", bases)
    ]
    assert not elsewhere
