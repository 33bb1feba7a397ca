"""Which lists a sweep reads, and which ids it hints at."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from relay.errors import TransientError
from relay.tracking import wiring
from relay.tracking.parts import PartsSetting
from relay.tracking.row import ITEM, TOMBSTONE, UNREADABLE, RowHead
from relay.tracking.sweep_lists import Listed
from relay.tracking.sweep_plan import (
    AUDIT,
    BASELINE,
    CHANGED,
    COMPLETION,
    DAY_SECONDS,
    NEW,
    OVERLAP_SECONDS,
    RECONCILE,
    finish,
    ids_to_hint,
    plan,
)
from relay.tracking.sweep_state import DONE, READING, KindProgress, ListJob, SweepDocument
from tests.tracking_aws import KEY, LATER, OLD


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


def test_a_daily_audit_finds_a_task_that_came_back_from_the_recycle_bin(relay):
    """It has its old number and time of change, and no event [core: Integration/Recyclebin/Task].

    A task that is deleted once more before the audit was never read in between.
    """
    for number in range(1, 61):
        relay.portal.put(0, number, title="t", changedDate=OLD)
    relay.baseline()
    for _ in range(2):
        task = relay.portal.items[0].pop(7)
        relay.event(7, "delete", entity="task", type_id=None)
        relay.settle()
        relay.portal.items[0][7] = task
        relay.sweep()
        relay.settle()
    assert [one["type"] for one in relay.topic.published] == ["com.bitrix24.task.deleted"]
    with relay.document() as document:
        document.kinds["task"].audited_at -= 90_000
    relay.sweep()
    assert [one["type"] for one in relay.settle()] == ["com.bitrix24.task.added"]


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


NOW = 1_000_000.0
PORTAL_ZONE = timezone(timedelta(hours=3))


@pytest.mark.parametrize("offset", [0, -7200, 3600])
def test_changes_are_listed_from_before_the_last_sweep_on(offset):
    """The time in the filter is an overlap before the last sweep, moved by the filter's offset.

    It is written in the portal's own zone.
    """
    kind = KindProgress(DONE, swept_at=NOW, audited_at=NOW, reconciled_at=NOW, highest_id=100)
    document = SweepDocument({"deal": kind}, filter_offsets={"crm": (offset, NOW)})
    clock = datetime.fromtimestamp(NOW + 300, PORTAL_ZONE)
    changed, new = plan(document, clock, 7, PartsSetting())
    assert (changed.mode, new.mode) == (CHANGED, NEW)
    since = datetime.fromisoformat(changed.since)
    assert since.timestamp() == NOW - OVERLAP_SECONDS + offset
    assert since.utcoffset() == timedelta(hours=3)


@pytest.mark.parametrize(
    ("mode", "audited", "reconciled", "swept"),
    [
        (CHANGED, 0, 0, True),
        (NEW, 0, 0, True),
        (AUDIT, 99, 0, True),
        (RECONCILE, 99, 99, True),
        (BASELINE, 0, 0, True),
        (COMPLETION, 99, 99, False),
    ],
)
def test_a_list_that_is_done_counts_for_what_it_covered(mode, audited, reconciled, swept):
    """A daily list is no weekly one, and a list of a first filling no sweep for changes."""
    document = SweepDocument({"deal": KindProgress()})
    finish(document, [ListJob("deal", mode, started_at=99, item_count=5)])
    kind = document.kinds["deal"]
    assert (kind.audited_at, kind.reconciled_at) == (audited, reconciled)
    assert (kind.swept_at == 99) is swept
    assert kind.baseline == {BASELINE: READING, COMPLETION: DONE}.get(mode)
    assert kind.item_count == (0 if mode in {CHANGED, NEW} else 5)


def test_an_item_that_can_not_be_read_holds_up_no_sweep(relay):
    """A kind whose first filling stands still is swept for changes all the same."""
    for number in range(1, 61):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    answer = relay.portal.answer

    def failing(method, params):
        if 13 in params.get("filter", {}).get("@id", ()) and params["select"] == ["*"]:
            raise TransientError(method, "INTERNAL_SERVER_ERROR")
        return answer(method, params)

    relay.portal.answer = failing
    for _ in range(4):
        relay.sweep()
        assert relay.settle() == []
    relay.portal.put(2, 60, title="b", updatedTime=LATER)
    relay.sweep()
    assert [one["subject"] for one in relay.settle()] == ["deal/60"]


def test_a_first_filling_leaves_young_items_to_their_events():
    """An item without a row that was made just now gets no further hint of the first filling."""
    old, young = (
        datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z") for at in (NOW, NOW + 9)
    )
    listed = {KEY: Listed(KEY.id, old), KEY._replace(id=2): Listed(2, young)}
    job = ListJob("deal", COMPLETION, hint_missing=True)
    assert ids_to_hint(job, listed, {}, NOW + 5, 0) == [KEY.id]
    assert ids_to_hint(replace(job, hint_missing=False), listed, {}, NOW + 5, 0) == []


@pytest.mark.parametrize(("field", "mode"), [("audited_at", AUDIT), ("reconciled_at", RECONCILE)])
def test_daily_and_weekly_lists_are_due_by_the_portals_clock(field, mode):
    """A list of all ids is due a day after the last, and one of all items after some days."""
    kind = KindProgress(DONE, swept_at=NOW, audited_at=NOW, reconciled_at=NOW)
    days = 1 if field == "audited_at" else 7
    for late, due in ((-1, False), (1, True)):
        setattr(kind, field, NOW - days * DAY_SECONDS - late)
        document = SweepDocument({"deal": kind})
        jobs = plan(document, datetime.fromtimestamp(NOW, PORTAL_ZONE), 7, PartsSetting())
        assert (jobs[0].mode == mode) is due


@pytest.mark.parametrize(("field", "mode"), [("audited_at", AUDIT), ("reconciled_at", RECONCILE)])
@pytest.mark.parametrize(("ahead", "due"), [(5, False), (DAY_SECONDS + 1, True)])
def test_a_list_that_a_wrong_clock_dated_ahead_is_due(field, mode, ahead, due):
    """Once a portal's clock is put right, lists do not wait until the time that it once told."""
    kind = KindProgress(DONE, swept_at=NOW, audited_at=NOW, reconciled_at=NOW)
    setattr(kind, field, NOW + ahead)
    clock = datetime.fromtimestamp(NOW, PORTAL_ZONE)
    jobs = plan(SweepDocument({"deal": kind}), clock, 7, PartsSetting())
    assert (jobs[0].mode == mode) is due


def test_an_audit_hints_at_every_difference_but_deletions_that_are_known():
    """An audit compares young items too, and an item known as deleted is not read each day."""
    times = {"updated": "2026-03-01T09:00:00Z", "read_at": NOW}
    rows = {
        KEY._replace(id=1): RowHead(kind=ITEM, **times),
        KEY._replace(id=2): RowHead(kind=TOMBSTONE, **times),
        KEY._replace(id=3): RowHead(kind=ITEM, **times),
    }
    listed = {KEY._replace(id=3): Listed(3, "2026-03-01T09:00:09Z")}
    assert ids_to_hint(ListJob("deal", AUDIT), listed, rows, 0, 0) == [1, 3]


def test_an_audit_hints_at_each_item_with_product_rows():
    """Rows that others of the same total replace move no time; items without rows stay unread."""
    times = {"updated": "2026-03-01T09:00:00Z", "read_at": 2_000_000_000.0}
    rows = {
        KEY._replace(id=number): RowHead(kind=ITEM, row_count=count, **times)
        for number, count in enumerate((None, 0, 5))
    }
    listed = {key: Listed(key.id, "2026-03-01T09:00:00Z") for key in rows}
    assert ids_to_hint(ListJob("deal", AUDIT), listed, rows, 0, 0) == [2]


@pytest.mark.parametrize(
    ("kept", "listed", "is_read"),
    [
        ("contactId=1 companyId=", "contactId=2 companyId=", True),
        ("contactId=1 companyId=", "contactId=1 companyId=", False),
        ("", "contactId=2 companyId=", False),
        ("contactId=1 companyId=", "", False),
    ],
)
@pytest.mark.parametrize("mode", [AUDIT, CHANGED])
def test_an_audit_hints_at_an_item_with_another_contact(kept, listed, is_read, mode):
    """A row from before links were kept, or a list that does not show them, proves nothing."""
    times = {"updated": "2026-03-01T09:00:00Z", "read_at": 2_000_000_000.0}
    rows = {KEY: RowHead(kind=ITEM, links=kept, **times)}
    items = {KEY: Listed(KEY.id, "2026-03-01T09:00:00Z", listed)}
    found = ids_to_hint(ListJob("deal", mode), items, rows, 0, 0)
    assert found == [KEY.id] * (is_read and mode == AUDIT)


def test_deals_of_a_merged_contact_are_found_within_a_day(relay):
    """The portal moves them to the other contact without an event, and without their time."""
    for number in range(1, 61):
        contact = 7 if number == 9 else number % 3
        relay.portal.put(2, number, contactId=contact, companyId=None, updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2][9]["contactId"] = 8
    relay.sweep()
    assert relay.settle() == []
    with relay.document() as document:
        document.kinds["deal"].audited_at -= 90_000
    relay.sweep()
    (found,) = relay.settle()
    assert (found["data"]["id"], found["data"]["changed"]) == ("9", ["contactId"])
    assert found["data"]["before"] == {"contactId": 7}
