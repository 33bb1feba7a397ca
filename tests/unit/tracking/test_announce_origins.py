"""Announce tells a reaction's write from a person's by notes, and by who saved last."""

import time

from tests.ledger import rows_of, update
from tests.unit.tracking.conftest import relay  # noqa: F401  the handlers, joined

OLD = "2026-03-01T12:00:00+03:00"
LATER = "2026-03-01T13:00:00+03:00"
WRITER, PERSON = 9, 5


def edit(its, *users):
    """Let each user edit a deal of its own; returns the origins."""
    for number, _ in enumerate(users, 1):
        its.portal.put(2, number, title="a", updatedTime=OLD)
    its.baseline()
    for number, user in enumerate(users, 1):
        its.portal.put(2, number, title="b", updatedTime=LATER, updatedBy=user)
        its.event(number)
    return {one["subject"]: one["data"]["origin"] for one in its.settle()}


def note(its, number, *, seconds=0, **fields):
    """Note a write to a deal, as a reaction does before it."""
    its.dynamo.state |= rows_of(
        update(fields, number, number=number, user_id=WRITER, now=time.time() - seconds)
    )


def test_without_a_note_a_change_is_a_persons(relay):  # noqa: F811  the fixture
    """The webhook's owner may be a person, and what was saved in between is not known."""
    assert edit(relay, WRITER, PERSON) == {"deal/1": "portal", "deal/2": "portal"}


def test_without_a_note_a_new_item_is_a_persons(relay):  # noqa: F811
    """Whoever made it."""
    relay.baseline()
    for number, user in ((1, WRITER), (2, PERSON)):
        relay.portal.put(2, number, title="a", updatedTime=LATER, createdBy=user)
        relay.event(number, "add")
    origins = {one["subject"]: one["data"]["origin"] for one in relay.settle()}
    assert origins == {"deal/1": "portal", "deal/2": "portal"}


def test_where_there_is_a_note_it_decides(relay):  # noqa: F811
    """The writer saved last, but what changed is not, or not all, what it wrote."""
    note(relay, 1, comments="another field than what has changed")
    note(relay, 2, title="b")
    assert edit(relay, WRITER, WRITER) == {"deal/1": "portal", "deal/2": "relay"}


def test_a_person_may_set_what_a_reaction_has_set_before(relay):  # noqa: F811
    """Within the minutes of a note, to the same value: it is the person's change, and not lost."""
    note(relay, 1, title="b")
    assert edit(relay, PERSON) == {"deal/1": "portal"}


def test_a_note_from_before_the_former_reading_explains_nothing(relay):  # noqa: F811
    """The mirror has read the item since that write: what differs now is somebody's."""
    note(relay, 1, title="b", seconds=90)
    note(relay, 2, title="b", seconds=30)
    assert edit(relay, WRITER, WRITER) == {"deal/1": "portal", "deal/2": "relay"}
