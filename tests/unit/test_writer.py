"""Announce tells a reaction's write from a person's by the user of the writing webhook."""

import time

import pytest

from relay import settings
from relay.ledger import Note, written
from tests.unit.tracking.conftest import relay  # noqa: F401  the handlers, joined

OLD = "2026-03-01T12:00:00+03:00"
LATER = "2026-03-01T13:00:00+03:00"
WRITER, PERSON = 9, 5


@pytest.fixture
def writers(monkeypatch, relay):  # noqa: F811  the fixture
    """Return what is stored below `writers/`, and how often that was read."""
    stored, asked, other = {"main": str(WRITER)}, [], settings.secrets

    def secrets(branch):
        if branch != "writers":
            return other(branch)
        asked.append(branch)
        return stored

    monkeypatch.setattr(settings, "secrets", secrets)
    settings.forget()
    relay.asked, relay.stored = asked, stored
    yield relay
    settings.forget()


def edit(its, *users):
    """Let each user edit a deal of its own, and one more make a deal; returns the origins."""
    for number, _ in enumerate(users, 1):
        its.portal.put(2, number, title="a", updatedTime=OLD)
    its.baseline()
    for number, user in enumerate(users, 1):
        its.portal.put(2, number, title="b", updatedTime=LATER, updatedBy=user)
        its.event(number)
    return {one["subject"]: one["data"]["origin"] for one in its.settle()}


def test_what_the_writer_did_is_the_relays_and_what_a_person_did_is_the_portals(writers):
    """Though no note of it is left: fifteen minutes are over, or the write was somebody's else."""
    assert edit(writers, WRITER, PERSON) == {"deal/1": "relay", "deal/2": "portal"}


def test_what_the_writer_made_is_the_relays(writers):
    """An item that bears no mark is told by who made it."""
    writers.baseline()
    for number, user in ((1, WRITER), (2, PERSON)):
        writers.portal.put(2, number, title="a", updatedTime=LATER, createdBy=user)
        writers.event(number, "add")
    origins = {one["subject"]: one["data"]["origin"] for one in writers.settle()}
    assert origins == {"deal/1": "relay", "deal/2": "portal"}


def note(its, number, **fields):
    """Note a write to a deal, as a reaction does before it."""
    wrote = written("crm.item.update", {"entityTypeId": 2, "id": number, "fields": fields})
    update = Note("main", wrote, "tidy", f"t{number}", WRITER, time.time()).make("State")["Update"]
    names, values = update["ExpressionAttributeNames"], update["ExpressionAttributeValues"]
    key = update["Key"]["pk"]["S"]
    its.dynamo.state[key] = {"pk": {"S": key}, names["#n0"]: values[":n0"]}


def test_where_there_is_a_note_it_decides(writers):
    """The writer saved last, but what changed is not, or not all, what it wrote."""
    note(writers, 1, comments="another field than what has changed")
    note(writers, 2, title="b")
    assert edit(writers, WRITER, WRITER) == {"deal/1": "portal", "deal/2": "relay"}


def test_a_person_may_set_what_a_reaction_has_set_before(writers):
    """Within the minutes of a note, to the same value: it is the person's change, and not lost."""
    note(writers, 1, title="b")
    assert edit(writers, PERSON) == {"deal/1": "portal"}


@pytest.mark.parametrize("stored", [{}, {"main": "same"}])
def test_without_a_writer_of_its_own_nobody_is_taken_for_it(writers, stored):
    """Nobody said, or reader and writer are one user; a hundred changes ask for it once."""
    writers.stored.clear()
    writers.stored.update(stored)
    origins = edit(writers, *[WRITER] * 100)
    assert set(origins.values()) == {"portal"}
    assert len(origins) == 100
    assert len(writers.asked) == 1
