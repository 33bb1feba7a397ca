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


def test_a_baseline_that_stalls_is_hinted_again(relay):
    """Hints that were lost are repeated once no progress is seen, and quietly."""
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
    """A reconcile hints at every item, whatever its time says."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2][1]["title"] = "changed without a new time"
    with relay.document() as document:
        document.kinds["deal"].reconciled_at = 0
    relay.sweep()
    assert [one["data"]["changed"] for one in relay.settle()] == [["title"]]


def test_a_daily_audit_finds_what_is_gone(relay):
    """A deletion below the last twenty is found by the comparison of all ids."""
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


def test_what_has_just_changed_is_left_to_its_event(relay, monkeypatch):
    """Within the seconds of grace a sweep does not take up a change; the next one does."""
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


def test_a_sweep_finds_what_changed_as_the_clocks_did(relay):
    """A filter that is read an hour later than was measured leaves nothing out."""
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
def test_what_could_not_be_read_is_looked_at_when_it_is_listed(relay, due):
    """A right that comes back changes no item's time: the daily audit finds it, as the weekly."""
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
    """What changes while a kind is refused is found from where it was left."""
    refused = KindProgress(
        DONE, swept_at=5, audited_at=5, reconciled_at=5, highest_id=7, refused=True
    )
    document = SweepDocument({"deal": replace(refused)})
    for mode in (CHANGED, NEW, AUDIT, RECONCILE):
        finish(document, [ListJob("deal", mode, started_at=99, highest_id=9)])
    assert document.kinds["deal"] == refused
