"""errors.py: one tree, and who has to act on each."""

import ast
from inspect import getdoc
from pathlib import Path

import pytest

from relay import errors

SOURCE = Path(__file__).parents[2] / "src" / "relay"
TREE = [
    one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)
]


@pytest.mark.parametrize("error", TREE)
def test_each_error_is_a_relay_error_and_the_table_names_who_acts(error):
    """Every class derives from RelayError, ends in `Error` and has a row in the module's table."""
    assert issubclass(error, errors.RelayError)
    assert error.__name__.endswith("Error")
    rows = (getdoc(errors) or "").splitlines()
    assert error is errors.RelayError or any(f" {error.__name__} | " in row for row in rows)


def test_no_other_module_defines_an_error():
    """Whoever looks for the package's errors finds all of them in one file."""
    elsewhere = [
        f"{path.relative_to(SOURCE)}: {node.name}"
        for path in SOURCE.rglob("*.py")
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)
    ]
    assert not elsewhere
