"""Activities: a kind of its own, mirrored only if it is asked for."""

import time

import pytest

from tests.parts_portal import at
from tests.tracking_aws import OLD, changes, event_message, metric
from tests.tracking_queues import URL

FIELDS = {
    "OWNER_ID": "1", "OWNER_TYPE_ID": "2", "PROVIDER_ID": "CRM_TODO", "COMPLETED": "N",
    "DEADLINE": "2026-03-02T12:00:00+03:00", "RESPONSIBLE_ID": "5", "SETTINGS": ["x"],
}  # fmt: skip


@pytest.fixture
def asked(whole, monkeypatch):
    """Return the handlers with two activities in the mirror."""
    monkeypatch.setenv("PARTS", "activities")
    for number in (1, 2):
        put(whole, number, SUBJECT="Call", LAST_UPDATED=OLD)
    whole.baseline()
    return whole


def put(relay, number, **fields):
    """Make an activity in the portal, or change it."""
    row = relay.portal.activities.setdefault(number, {"ID": str(number)} | FIELDS)
    row |= {"LAST_UPDATED": at(number)} | fields


def event(relay, number, action="update"):
    """Let an event of an activity arrive and be handled; returns the Changes."""
    name = f"ONCRMACTIVITY{action.upper()}"
    relay.send(event_message(name, number, action, entity="activity", type_id=None))
    return changes(relay.settle())


def test_an_activity_is_added_updated_and_deleted_like_an_item(asked):
    """Its fields have the names that items have, numbers are numbers, times are in UTC."""
    put(asked, 3, SUBJECT="Meet")
    (added,) = event(asked, 3, "add")
    assert (added.action, added.subject, added.portal_url) == ("added", "activity/3", "")
    assert added.after == {
        "id": 3, "ownerId": 1, "ownerTypeId": 2, "providerId": "CRM_TODO", "subject": "Meet",
        "completed": "N", "deadline": "2026-03-02T09:00:00Z", "responsibleId": 5,
        "lastUpdated": "2026-03-01T09:00:03Z",
    }  # fmt: skip
    put(asked, 3, COMPLETED="Y", LAST_UPDATED=at(9), EDITOR_ID="7")
    (updated,) = event(asked, 3)
    assert (updated.changed, updated.before) == (("completed",), {"completed": "N"})
    del asked.portal.activities[3]
    (deleted,) = event(asked, 3, "delete")
    assert (deleted.action, deleted.before["subject"]) == ("deleted", "Meet")


def test_what_no_event_told_is_found_by_a_sweep(asked):
    """An activity that changed without an event, and one that came, are found."""
    put(asked, 1, SUBJECT="Call again", LAST_UPDATED=at(50))
    put(asked, 7, SUBJECT="Mail")
    assert asked.sweep() == {"main": "done"}
    found = {change.id: change.action for change in changes(asked.settle())}
    assert found == {"1": "updated", "7": "added"}
    assert asked.sweep() == {"main": "done"}
    assert asked.settle() == []


def test_an_activity_that_is_gone_without_an_event_is_counted(asked, capsys):
    """The portal answers the same for a deleted and a forbidden activity, so nothing is told."""
    del asked.portal.activities[2]
    assert event(asked, 2) == []
    assert metric(capsys, "unreadable") == 1


def test_without_being_asked_for_nothing_is_read(whole):
    """Events of activities are acknowledged and cost no request."""
    whole.baseline()
    put(whole, 1)
    whole.portal.calls.clear()
    assert event(whole, 1, "add") == []
    assert not whole.portal.calls
    assert not whole.queues.messages[URL + "track"]


def test_a_young_activity_is_left_to_its_event(asked, monkeypatch):
    """The grace of other kinds holds for activities too."""
    monkeypatch.setenv("GRACE_SECONDS", "30")
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    put(asked, 1, SUBJECT="now", LAST_UPDATED=now)
    asked.sweep()
    assert asked.settle() == []
