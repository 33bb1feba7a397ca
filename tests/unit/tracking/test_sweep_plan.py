"""Which lists a sweep reads, and which ids it hints at."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from relay.tracking import wiring
from relay.tracking.row import ITEM, UNREADABLE
from relay.tracking.sweep_plan import AUDIT, CHANGED, NEW, RECONCILE, finish
from relay.tracking.sweep_state import DONE, KindProgress, ListJob, SweepDocument
from tests.tracking_aws import OLD


def test_a_baseline_without_progress_is_hinted_once_more(relay):
    """Items without rows get another hint once a sweep sees no progress, and make no Change."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.sweep()
    relay.queues.messages.clear()
    for _ in range(2):
        relay.sweep()
        assert not relay.queues.bodies("track")
    document = wiring.sweep_state().read("main")
    assert document.progress()["deal"] == "0 of 2"
    relay.sweep()
    assert relay.settle() == []
    assert len(relay.dynamo.mirror) == 2


def test_once_a_week_everything_is_read(relay):
    """A reconcile hints at every item, whatever its time of change is."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2][1]["title"] = "changed without a new time"
    with relay.document() as document:
        document.kinds["deal"].reconciled_at = 0
    relay.sweep()
    assert [one["data"]["changed"] for one in relay.settle()] == [["title"]]


def test_a_daily_audit_finds_a_deletion(relay):
    """An audit finds a deletion below the last twenty ids."""
    for number in range(1, 61):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    del relay.portal.items[2][7]
    relay.sweep()
    assert relay.settle() == []
    with relay.document() as document:
        document.kinds["deal"].audited_at -= 90_000
    relay.sweep()
    assert [one["type"] for one in relay.settle()] == ["com.bitrix24.deal.deleted"]


def test_a_young_change_is_left_to_its_event(relay, monkeypatch):
    """A change within the grace seconds gets no hint; the next sweep hints at it."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    now = datetime.now(UTC)
    relay.portal.put(2, 1, title="b", updatedTime=now.isoformat(timespec="seconds"))
    monkeypatch.setenv("GRACE_SECONDS", "30")
    relay.sweep()
    assert relay.settle() == []
    monkeypatch.setenv("GRACE_SECONDS", "0")
    relay.sweep()
    assert len(relay.settle()) == 1


def test_a_sweep_finds_changes_after_clocks_were_set(relay):
    """A filter that is read an hour later than measured leaves no change out."""
    for number in range(1, 41):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.sweep()
    assert wiring.sweep_state().read("main").filter_offsets["crm"][0] == 0
    relay.portal.filter_shift = 3600
    now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
    relay.portal.put(2, 1, title="b", updatedTime=now)
    relay.sweep()
    assert [one["subject"] for one in relay.settle()] == ["deal/1"]


@pytest.mark.parametrize("due", ["audited_at", "reconciled_at"])
def test_an_unreadable_item_is_read_when_it_is_listed(relay, due):
    """An audit, and a reconcile, read an item whose right came back."""
    for number in range(1, 41):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.forbidden.add((2, 1))
    relay.event(1)
    relay.track_all()
    assert relay.dynamo.mirror["main/deal", 1]["kind"] == {"S": UNREADABLE}
    relay.portal.forbidden.clear()
    with relay.document() as document:
        setattr(document.kinds["deal"], due, 0)
    relay.sweep()
    relay.track_all()
    assert relay.dynamo.mirror["main/deal", 1]["kind"] == {"S": ITEM}


def test_a_refused_kinds_time_stays():
    """The times of a refused kind stay, so that changes meanwhile are found later."""
    refused = KindProgress(
        DONE, swept_at=5, audited_at=5, reconciled_at=5, highest_id=7, refused=True
    )
    document = SweepDocument({"deal": replace(refused)})
    for mode in (CHANGED, NEW, AUDIT, RECONCILE):
        finish(document, [ListJob("deal", mode, started_at=99, highest_id=9)])
    assert document.kinds["deal"] == refused
