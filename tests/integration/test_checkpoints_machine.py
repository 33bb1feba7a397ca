"""relay.reaction.once: whatever happens in whatever order, each create of a record happens once.

The machine delivers one record again and again, up to two deliveries at a time, and decides at
each request to DynamoDB or the portal what becomes of it: answered, answered too late, refused, or
its process killed before or after it. Reactions ask in other orders, with other
parameters, and again what has failed.
"""

import pytest
from hypothesis import Phase

from relay.reaction import lease, matching, once
from relay.reaction.checkpoint import Checkpoint, Write
from tests.once_machine import explore


def test_each_create_happens_once():
    """Killed, doubled, refused, lost, reordered: one effect, or a person is told."""
    explore(150)


def no_intent(monkeypatch):
    """Store nothing before a create is sent."""
    monkeypatch.setattr(once, "is_harmless", lambda *_: True)


def no_lease(monkeypatch):
    """Let two deliveries work at once."""
    monkeypatch.setattr(lease.Lease, "check", lambda *_: None)


def no_method(monkeypatch):
    """Take records of any method."""

    def equal_digest(writes, _method, digest):
        return next((write for write in writes if write.digest == digest), None)

    monkeypatch.setattr(matching, "equal", equal_digest)
    monkeypatch.setattr(matching, "first", lambda writes, _method: writes[0])


def no_number(monkeypatch):
    """Take all creates of a method for one."""

    def add(self, method, digest, now):
        self.writes.append(Write(method, 0, digest, now))
        return self.writes[-1]

    monkeypatch.setattr(Checkpoint, "add", add)


def no_expiry(monkeypatch):
    """Leave it to DynamoDB to remove what has expired."""
    of = Checkpoint.of
    monkeypatch.setattr(Checkpoint, "of", lambda key, item, _now: of(key, item, 0))


def by_position(monkeypatch):
    """Take the next record of a method, whatever it was asked with."""

    def equal(writes, method, _digest):
        return next((write for write in writes if write.method == method), None)

    monkeypatch.setattr(matching, "equal", equal)


def no_giving_back(monkeypatch):
    """Take a call that is made again for another one."""
    monkeypatch.setattr(matching.Claims, "keep_for_retry", lambda *_: None)


@pytest.mark.parametrize(
    "mutant", [no_intent, no_lease, no_method, no_number, no_expiry, by_position, no_giving_back]
)
def test_the_machine_finds_each_mistake(monkeypatch, mutant):
    """What the machine is for: without any one part of the protocol it fails."""
    mutant(monkeypatch)
    with pytest.raises((AssertionError, KeyError, TypeError)):
        explore(400, phases=(Phase.generate,))
