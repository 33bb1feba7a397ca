"""docs/portal.md: its examples run as they stand, and the portal keeps its state over an end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.portal.faults import ERRORS, TRANSPORT
from tests.documents import DOCS, example

ROOT = Path(__file__).parents[3]
PAGE = (DOCS / "portal.md").read_text("utf-8")
PLUGIN = ("-p", "local.portal.pytest_plugin", "-p", "no:cacheprovider")


def run(*command, cwd):
    """Run a program beside the package; returns what it printed."""
    plain = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(  # noqa: S603  our own programs
        command, cwd=cwd, env=plain, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def running(folder, *options):
    """Start the portal alone; yields its addresses, and ends it as Ctrl-C does."""
    file = folder / ".local" / "portal.json"
    command = [sys.executable, "-m", "local.portal", "--state-file", str(file), *map(str, options)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=folder, env=environment)  # noqa: S603  our own program
    try:
        deadline = time.monotonic() + 20
        while not file.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield json.loads(file.read_text("utf-8"))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_the_python_example_passes_with_the_fixture(tmp_path):
    """The page's test passes in a project that has nothing but the package."""
    (tmp_path / "test_example.py").write_text(example("portal.md", "python"), "utf-8")
    output = run(sys.executable, "-m", "pytest", *PLUGIN, "-q", "test_example.py", cwd=tmp_path)
    assert "1 passed" in output


def test_a_misspelt_word_of_the_marker_is_no_empty_portal(tmp_path):
    """A test that asks for `sed=` has an error, and does not run on what it did not ask for."""
    text = 'import pytest\n\n@pytest.mark.portal(sed="a")\ndef test_it(portal):\n    pass\n'
    (tmp_path / "test_marker.py").write_text(text, "utf-8")
    with pytest.raises(AssertionError, match="unexpected keyword argument 'sed'"):
        run(sys.executable, "-m", "pytest", *PLUGIN, "-q", "test_marker.py", cwd=tmp_path)


def test_the_javascript_example_runs_against_a_portal(tmp_path):
    """The page's program ends without an error."""
    (tmp_path / "example.mjs").write_text(example("portal.md", "js"), "utf-8")
    with running(tmp_path):
        run("node", "example.mjs", cwd=tmp_path)


def test_a_seed_and_a_kept_state_outlive_an_end(tmp_path):
    """The page's seed is there; what was added is there after a new start, with its webhook."""
    (tmp_path / "seed.toml").write_text(example("portal.md", "toml"), "utf-8")
    options = ("--seed", "seed.toml", "--empty", "--keep", "portal.state")

    def call(addresses, method, **params):
        body = json.dumps(params).encode()
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(addresses["webhook_url"] + method, body, head)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  our own
            return json.loads(answer.read())["result"]

    with running(tmp_path, *options) as first:
        (deal,) = call(first, "crm.deal.list", select=["TITLE", "UF_CRM_REGION"])
        assert (deal["TITLE"], deal["UF_CRM_REGION"]) == ("Ten chairs", "North")
        added = call(first, "crm.deal.add", fields={"TITLE": "Kept"})
    with running(tmp_path, "--keep", "portal.state") as second:
        path = second["webhook_url"].removeprefix(second["portal_url"])
        assert path == first["webhook_url"].removeprefix(first["portal_url"])
        assert call(second, "crm.deal.get", id=added)["TITLE"] == "Kept"


@pytest.mark.parametrize("text", ["[[deals]]", "[", '[[calls]]\nmethod = "crm.deal.ad"'])
def test_a_wrong_seed_is_refused_with_its_name(tmp_path, text):
    """The portal does not start, and says which file and entry is wrong."""
    (tmp_path / "seed.toml").write_text(text, "utf-8")
    command = [sys.executable, "-m", "local.portal", "--seed", "seed.toml"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(  # noqa: S603  our own program
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "seed.toml" in ended.stderr


def test_the_page_has_all_faults():
    """Each kind of fault stands in the table, and no other."""
    table = PAGE.split("## Faults")[1].split("`when=")[0]
    named = re.findall(
        r"`([a-z_0-9]+)`",
        "\n".join(line.split("|")[1] for line in table.splitlines() if line.count("|") > 2),
    )
    assert sorted(named) == sorted([*ERRORS, *TRANSPORT])


def test_the_state_is_taken_and_put_back_over_http(tmp_path):
    """What was changed after the state was taken is undone; anything else is refused, 400."""
    head = {"Content-Type": "application/json"}

    def ask(addresses, verb, path, body=None):
        url = addresses["portal_url"].rstrip("/") + path
        request = urllib.request.Request(url, body, head, method=verb)  # noqa: S310  our own
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  our own
            return answer.read()

    with running(tmp_path, "--port", 0) as addresses:
        saved = ask(addresses, "GET", "/admin/state/saved")
        ask(addresses, "POST", "/admin/seed", b'{"deals": 5}')
        assert json.loads(ask(addresses, "PUT", "/admin/state/saved", saved))["items"] == 18
        for wrong in (b"[]", b'{"format": 1, "portal": {"activity": {}, "types": 5}}'):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                ask(addresses, "PUT", "/admin/state/saved", wrong)
        assert ask(addresses, "GET", "/admin/state/saved")[:10] == saved[:10]
