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


def test_each_question_sees_what_is_saved_now(mine):
    """A broken module, a mended one, one that prints or ends its process, one after the other."""
    with Importer(mine.parents[2], ROOT) as importer:
        mine.write_text("def handler(): ...\nprint('hello')\n")
        assert importer.trouble([HANDLER]) == ""
        mine.write_text("import nothing_of_this_name\n")
        assert importer.trouble([HANDLER]).splitlines() == [
            "ModuleNotFoundError: No module named 'nothing_of_this_name'",
            "src/relay/reactions/mine.py:1 in <module>",
            "    import nothing_of_this_name",
        ]
        mine.write_text("import sys\n\nsys.exit('stop' * 2)\n")
        assert importer.trouble([HANDLER]).startswith("SystemExit: stopstop\nsrc/relay/reac")
        mine.write_text("handler = print  # and one more size\n")
        assert importer.trouble([HANDLER]) == ""


def test_a_shared_module_is_imported_anew(mine):
    """What the process has loaded at its start is not what it judges later."""
    shared = mine.parents[1] / "reaction.py"
    shared.write_text("value = 1\n")
    mine.write_text("from relay.reaction import value as handler\n")
    with Importer(mine.parents[2], ROOT) as importer:
        assert "has no handler" in importer.trouble([HANDLER])
        shared.write_text("def value(): ...\n")
        assert importer.trouble([HANDLER]) == ""


def test_an_import_without_an_end_is_ended(mine):
    """It is told with the seconds that it was given."""
    mine.write_text("while True: pass\n")
    with Importer(mine.parents[2], ROOT, seconds=0.2) as importer:
        said = importer.trouble([HANDLER])
    assert said == f"{HANDLER}: the import takes more than 0.2 s"
