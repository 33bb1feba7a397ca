"""local.program: a process in a folder of its own, of which nothing is left."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import program
from local.program import Program

READY = "import pathlib, time; pathlib.Path('ready').touch(); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY


class Python(Program):
    """An interpreter that runs a text, ready as soon as there is a file `ready`."""

    NAME, START_SECONDS, END_SECONDS = "the test program", 20, 0.2

    def __init__(self, code):
        self.code = code

    def command(self):
        """Return the interpreter's command."""
        return [sys.executable, "-c", self.code]

    def environment(self):
        """Return an empty environment."""
        return {}

    def is_ready(self):
        """Return whether the text has made its file."""
        return (self.folder / "ready").exists()


def is_alive(process):
    """Return whether a process still runs."""
    return process.poll() is None


@pytest.mark.parametrize("code", [READY, STUBBORN])
def test_a_process_ends_and_its_folder_goes(code):
    """A process that ignores SIGTERM is killed; the folder is removed."""
    with Python(code) as running:
        process, folder = running.process, running.folder
        assert is_alive(process)
        assert os.getsid(process.pid) == process.pid
    assert not is_alive(process)
    assert not folder.exists()


def test_a_process_that_fails_is_reported_with_its_log(monkeypatch):
    """The error has the program's name and the end of its output; nothing is left."""
    monkeypatch.setattr(program, "LOG_CHARACTERS", 10)
    failing = Python("import sys; print('x' * 50, 'the reason'); sys.exit(3)")
    with pytest.raises(RuntimeError, match="the test program did not start:\nhe reason\n"):
        failing.__enter__()
    assert not failing.folder.exists()


def test_a_process_that_is_never_ready_is_ended(monkeypatch):
    """After START_SECONDS the process is ended and the start fails."""
    monkeypatch.setattr(Python, "START_SECONDS", 0.3)
    late, began = Python("import time; time.sleep(60)"), time.monotonic()
    with pytest.raises(RuntimeError, match="did not start"):
        late.__enter__()
    assert not is_alive(late.process)
    assert time.monotonic() - began < 20


def test_an_interrupted_start_leaves_nothing(monkeypatch):
    """Ctrl-C while the program starts ends it and removes its folder."""

    def interrupt(_self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Python, "is_ready", interrupt)
    starting = Python(READY)
    with pytest.raises(KeyboardInterrupt):
        starting.__enter__()
    assert not is_alive(starting.process)
    assert not starting.folder.exists()


def test_a_second_ctrl_c_kills_what_is_ending(monkeypatch):
    """An impatient Ctrl-C ends the wait for a program, and leaves neither it nor its folder."""
    with Python(STUBBORN) as ending:
        wait, begun = ending.process.wait, []

        def interrupted(seconds=None):
            begun.append(seconds)
            if len(begun) == 1:
                raise KeyboardInterrupt
            return wait(seconds)

        monkeypatch.setattr(ending.process, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ending.close()
        assert not is_alive(ending.process)
        assert not ending.folder.exists()


def test_a_launcher_that_is_ended_by_sigterm_leaves_nothing():
    """SIGTERM ends the program and removes its folder, as Ctrl-C does."""
    launcher = (
        "import os, pathlib, signal\n"
        "from test_program import READY, Python\n"
        "with Python(READY) as running:\n"
        "    print(running.process.pid, running.folder, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    signal.pause()\n"
    )
    here = Path(__file__).parent
    ended = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", launcher],
        env={"PYTHONPATH": f"{here}:{here.parents[2]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    process, folder = ended.stdout.split()
    assert "KeyboardInterrupt" in ended.stderr
    assert not Path(folder).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)
