"""ops.stopping, ops.progress: Ctrl-C between two steps, and what is said meanwhile."""

import os
import signal
import time
from contextlib import contextmanager, redirect_stderr
from types import SimpleNamespace

import pytest

from ops import progress
from ops.progress import Progress
from ops.stopping import Stop


def press(number=signal.SIGINT):
    """Press Ctrl-C, or send another signal."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_a_question(number):
    """The step under way ends; the loop asks whether to go on."""
    with Stop() as stop:
        assert not stop
        press(number)
        assert stop


def test_an_ignored_signal_stays_ignored():
    """With nohup a command goes on when its terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop() as stop:
            press(signal.SIGHUP)
            assert not stop
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_whoever_presses_ctrl_c_is_answered_at_once(monkeypatch):
    """A step may take a minute; a terminal says that it is awaited, and what a second one does."""
    master, terminal = os.openpty()
    with open(terminal, "w") as stderr, open(master, "rb", 0) as screen:  # noqa: PTH123
        monkeypatch.setattr("sys.stderr", stderr)
        with Stop():
            press()
        assert b"stopping after this step; Ctrl-C again ends it at once" in screen.read(200)


def test_nothing_is_said_to_a_terminal_that_is_gone():
    """Its signal is heard all the same."""
    with broken_stderr(*os.openpty()), Stop() as stop:
        press(signal.SIGHUP)
        assert stop


def test_the_second_ctrl_c_ends_the_command():
    """Whoever can't wait for the step does not have to."""
    with Stop() as stop:
        press()
        with pytest.raises(KeyboardInterrupt):
            press()
    assert stop


def test_afterwards_ctrl_c_is_as_before():
    """The handlers of the process come back, however the loop ended."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="made up"), Stop():
        raise ValueError("made up")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_pause_ends_with_the_signal():
    """RATE=0.01 does not keep anybody waiting for a hundred seconds."""
    began = time.monotonic()
    with Stop() as stop:
        press()
        stop.sleep(60)
    assert time.monotonic() - began < 5


@pytest.fixture
def clock(monkeypatch):
    """Return the clock that progress reads."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    return clock


def test_progress_is_said_after_two_seconds_then_every_five(clock, capsys):
    """A quick command says nothing; a slow one says on standard error how far it is."""
    shown = Progress("reading")
    lines = []
    for second in range(13):
        clock.now = 100.0 + second
        shown.at(second)
        if printed := capsys.readouterr().err:
            lines.append((second, printed))
    assert lines == [(2, "reading: 2 …\n"), (7, "reading: 7 …\n"), (12, "reading: 12 …\n")]


@pytest.mark.parametrize(
    ("done", "of", "said"),
    [
        (100, 4000, "100 of about 4000, 6 min more …"),
        (3900, 4000, "3900 of about 4000, 0 s more …"),
        (0, 4000, "0 of about 4000 …"),
        (4000, 4000, "4000 of about 4000 …"),
        (4010, 4000, "4010 of about 4010 …"),
    ],
)
def test_progress_says_how_long_the_rest_takes(clock, capsys, done, of, said):
    """The rest takes as long for each as what is done."""
    shown = Progress("sending")
    clock.now += 10
    shown.at(done, of)
    assert capsys.readouterr().err == f"sending: {said}\n"


@contextmanager
def broken_stderr(other, ours):
    """Let standard error be a pipe or a terminal whose other end is closed."""
    os.close(other)
    with open(ours, "w") as stderr, redirect_stderr(stderr):  # noqa: PTH123
        yield


def test_a_closed_pipe_is_taken_for_ctrl_c(clock):
    """`make redrive 2>&1 | head` ends between two steps, and then says nothing more."""
    shown = Progress("sending")
    with broken_stderr(*os.pipe()), Stop() as stop:
        clock.now += 10
        shown.at(1, 40)
        assert stop
        clock.now += 10
        shown.at(2, 40)


def test_a_command_goes_on_without_its_terminal(clock):
    """Who hung up has been heard by then, or did not want the command to end."""
    shown = Progress("sending")
    with broken_stderr(*os.openpty()), Stop() as stop:
        for number in range(2):
            clock.now += 10
            shown.at(number, 40)
        assert not stop
