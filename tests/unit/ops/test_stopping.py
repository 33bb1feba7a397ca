"""ops.stopping, ops.progress: Ctrl-C between two steps, and what is said meanwhile."""

import os
import signal
import time

import pytest

from ops import progress
from ops.progress import Progress
from ops.stopping import Stop


def press(number=signal.SIGINT):
    """Press Ctrl-C, or send another signal."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_question(number):
    """The step under way ends; the loop asks whether to go on."""
    with Stop() as stop:
        assert not stop
        press(number)
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


def test_progress_is_said_after_two_seconds_then_every_five(monkeypatch, capsys):
    """A quick command says nothing; a slow one says how far it is, on standard error."""
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    shown = Progress("reading")
    lines = []
    for second in range(13):
        now = 100.0 + second
        shown.at(second, 40)
        if printed := capsys.readouterr().err:
            lines.append((second, printed))
    assert lines == [
        (2, "reading: 2 of about 40 …\n"),
        (7, "reading: 7 of about 40 …\n"),
        (12, "reading: 12 of about 40 …\n"),
    ]
