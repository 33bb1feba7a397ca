"""local.package: the deployed zip with saved code, and the functions that load the code."""

import io
import zipfile

import pytest

from local.package import Package, affected
from ops.build import ROOT

SOURCE = ROOT / "src"
FOLLOW_UP, JOURNAL = "relay.reactions.follow_up.handler", "relay.reactions.journal.handler"
INGRESS = "relay.ingress.app.handler"
HANDLERS = [FOLLOW_UP, JOURNAL, INGRESS]


def zipped(files):
    """Return a zip of texts."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return packed.getvalue()


def test_saved_code_replaces_the_package_and_nothing_else(tmp_path):
    """Dependencies stay; changed and removed modules lose their byte code, equal ones keep it."""
    (tmp_path / "relay").mkdir()
    for name, text in {"same.py": "1", "changed.py": "new", "added.py": "2"}.items():
        (tmp_path / "relay" / name).write_text(text)
    deployed = {
        "requests/api.py": "requests",
        "relay/same.py": "1",
        "relay/__pycache__/same.cpython-313.pyc": "byte code",
        "relay/changed.py": "old",
        "relay/__pycache__/changed.cpython-313.pyc": "byte code",
        "relay/removed.py": "old",
        "relay/__pycache__/removed.cpython-313.pyc": "byte code",
    }
    with zipfile.ZipFile(io.BytesIO(Package(zipped(deployed)).with_saved(tmp_path))) as package:
        found = {name: package.read(name).decode() for name in package.namelist()}
    assert found == {
        "requests/api.py": "requests",
        "relay/same.py": "1",
        "relay/__pycache__/same.cpython-313.pyc": "byte code",
        "relay/changed.py": "new",
        "relay/added.py": "2",
    }


@pytest.mark.parametrize(
    ("saved", "functions"),
    [
        ("relay/reactions/follow_up.py", [FOLLOW_UP]),
        ("relay/reaction/runner.py", [FOLLOW_UP, JOURNAL]),
        ("relay/reactions/__init__.py", [FOLLOW_UP, JOURNAL]),
        ("relay/ingress/verify.py", [INGRESS]),
        ("relay/errors.py", HANDLERS),
        ("relay/ingress/catalogue.json", HANDLERS),
        ("relay/reactions/removed.py", HANDLERS),
    ],
)
def test_a_saved_file_is_for_the_functions_that_import_it(saved, functions):
    """A reaction's file updates its function; what all may use updates all."""
    assert affected(HANDLERS, [SOURCE / saved], SOURCE) == set(functions)


def test_imports_of_every_form_are_followed(tmp_path):
    """Relative imports, imports of names and a module that is no Python are understood."""
    texts = {
        "__init__": "",
        "x": "from . import one",
        "one": "from .two import thing",
        "two": "def late():\n    import relay.three",
        "three": "(((",
        "four": "",
    }
    (tmp_path / "relay").mkdir()
    for name, text in texts.items():
        (tmp_path / "relay" / f"{name}.py").write_text(text)

    def updates(name):
        return affected(["relay.x.handler"], [tmp_path / "relay" / f"{name}.py"], tmp_path)

    assert [name for name in texts if updates(name)] == ["__init__", "x", "one", "two", "three"]
