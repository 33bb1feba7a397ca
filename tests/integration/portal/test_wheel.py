"""local.portal_wheel: the simulated portal installs alone, and what it needs is in it."""

import subprocess
import sys

import pytest

from local.portal_wheel import UV, build
from ops.build import ROOT
from tests.documents import example


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory):
    """Return the programs of an environment that has the wheel, pytest and requests alone.

    Their wheels are pinned, and come from the cache that `make env` has filled.
    """
    folder = tmp_path_factory.mktemp("alone")
    wheel, python = build(folder), folder / "venv" / "bin" / "python"
    pinned = ("--offline", "--constraint", str(ROOT / "requirements" / "dev.txt"))
    for command in (
        [UV, "venv", "--quiet", "--python", sys.executable, folder / "venv"],
        [UV, "pip", "install", "--quiet", *pinned, "--python", python, wheel, "pytest", "requests"],
    ):
        subprocess.run(list(map(str, command)), check=True)  # noqa: S603  our own tool
    return python.parent


def run(command, folder):
    """Run a program in a folder, and return it ended."""
    return subprocess.run(  # noqa: S603  our own programs
        list(map(str, command)),
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_fixture_comes_with_the_wheel(bin_folder, tmp_path):
    """The documented test passes where nothing of this project is but the wheel."""
    (tmp_path / "test_example.py").write_text(example("portal.md", "python"), "utf-8")
    ended = run([bin_folder / "python", "-m", "pytest", "-q"], tmp_path)
    assert "1 passed" in ended.stdout, ended.stdout + ended.stderr


def test_the_page_comes_with_the_wheel(bin_folder, tmp_path):
    """The page, with its style, and its scripts are served."""
    text = """
import urllib.request
from bitrix24_portal.server import PortalServer
with PortalServer() as server:
    for path in ("/", "/page/main.js", "/admin/board"):
        print(urllib.request.urlopen(server.url + path).status)
    print(b".deal {" in urllib.request.urlopen(server.url).read())
"""
    ended = run([bin_folder / "python", "-c", text], tmp_path)
    assert ended.stdout.split() == ["200", "200", "200", "True"], ended.stderr


def test_what_is_missing_is_named(bin_folder, tmp_path):
    """Https without its extra package ends with the command that installs it, and no traceback."""
    ended = run([bin_folder / "bitrix24-portal", "--https-port", "0"], tmp_path)
    assert ended.returncode == 1
    assert ended.stderr == "https needs the package cryptography: install bitrix24-portal[https]\n"
