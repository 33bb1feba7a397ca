"""Fixtures of what a test puts around the code: AWS's clients, the clock, the written portal."""

import time
from types import SimpleNamespace

import pytest

from tests.aws_clients import aws_of, written_to
from tests.clock import Clock


@pytest.fixture
def aws_clients():
    """Return the clients that boto3 makes: put those by service that the test is about."""
    with aws_of() as clients:
        yield clients


class Times:
    """time.time of a test, `offset` seconds ahead of its `source`."""

    def __init__(self):
        self.source, self.offset = time.time, 0.0

    def __call__(self):
        """Return the seconds since 1970."""
        return self.source() + self.offset

    def stand(self, at):
        """Let it stand at a moment."""
        self.source = lambda: at


@pytest.fixture
def times(monkeypatch):
    """Return the clock that all of the code reads."""
    made = Times()
    monkeypatch.setattr(time, "time", made)
    return made


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that jumps where the code waits, in place of the real one, also for loops."""
    made = Clock()
    monkeypatch.setattr(time, "time", made.time)
    monkeypatch.setattr(time, "monotonic", made.time)
    return made


@pytest.fixture
def sleeps(monkeypatch):
    """Return the seconds for which the code would have slept; nothing waits."""
    made = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


@pytest.fixture
def written():
    """Return what has the portal that reactions write to, as its `portal`; it may `get` others."""
    made = SimpleNamespace(portal=None, get=lambda _name: made.portal)
    with written_to(made):
        yield made
