"""local.importing: a handler is imported as it is saved, each time anew, and can do no harm."""

import pytest

from local.importing import Importer
from ops.build import ROOT

HANDLER = "relay.reactions.mine.handler"


@pytest.fixture
def mine(tmp_path):
    """Return a reaction's file in a package of its own."""
    folder = tmp_path / "src" / "relay" / "reactions"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").touch()
    return folder / "mine.py"


def problem_of(importer):
    """Return the only error."""
    ((text, handlers),) = importer.troubles([HANDLER]).items()
    assert handlers == [HANDLER]
    return text


def test_each_question_sees_what_is_saved_now(mine):
    """A broken module, a mended one, one that prints or ends its process, one after the other."""
    with Importer(mine.parents[2], ROOT) as importer:
        mine.write_text("def handler(): ...\nprint('hello')\n")
        assert importer.troubles([HANDLER]) == {}
        mine.write_text("import nothing_of_this_name\n")
        assert problem_of(importer).splitlines() == [
            "ModuleNotFoundError: No module named 'nothing_of_this_name'",
            "src/relay/reactions/mine.py:1 in <module>",
            "    import nothing_of_this_name",
        ]
        mine.write_text("import sys\n\nsys.exit('stop' * 2)\n")
        assert problem_of(importer).startswith("SystemExit: stopstop\nsrc/relay/reac")
        mine.write_text("import os\n\nos._exit(0)\n")
        assert problem_of(importer) == "an import ended the process"
        mine.write_text("handler = print  # and one more size\n")
        assert importer.troubles([HANDLER]) == {}


def test_a_shared_module_is_imported_anew(mine):
    """What the process has loaded at its start is not what it judges later."""
    shared = mine.parents[1] / "reaction.py"
    shared.write_text("value = 1\n")
    mine.write_text("from relay.reaction import value as handler\n")
    with Importer(mine.parents[2], ROOT) as importer:
        assert "has no handler" in problem_of(importer)
        shared.write_text("def value(): ...\n")
        assert importer.troubles([HANDLER]) == {}


def test_an_import_without_an_end_is_ended(mine):
    """It is told with the seconds that it was given."""
    mine.write_text("while True: pass\n")
    with Importer(mine.parents[2], ROOT, seconds=0.2) as importer:
        message = problem_of(importer)
    assert message == f"{HANDLER}: the import takes more than 0.2 s"


def test_an_error_is_told_once_with_the_handlers_that_meet_it(mine):
    """The broken line comes first; a handler that can be imported is not among them."""
    other, well = "relay.reactions.other.handler", "relay.reactions.well.handler"
    mine.with_name("well.py").write_text("handler = print\n")
    for path in (mine, mine.with_name("other.py")):
        path.write_text("from relay.shared import handler\n")
    (mine.parents[1] / "shared.py").write_text("\nraise ValueError('no')\n")
    with Importer(mine.parents[2], ROOT) as importer:
        ((text, handlers),) = importer.troubles([other, well, HANDLER]).items()
    assert text.splitlines()[:2] == ["ValueError: no", "src/relay/shared.py:2 in <module>"]
    assert sorted(handlers) == sorted([HANDLER, other])
