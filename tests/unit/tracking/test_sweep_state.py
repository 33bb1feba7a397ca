"""Leases and documents of sweeps."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from relay.errors import (
    LostLeaseError,
)
from relay.tracking import wiring
from relay.tracking.sweep_state import DONE, READING, KindProgress, ListJob, SweepDocument


def test_a_lost_lease_ends_a_sweep(relay):
    """A sweep without the lease can't save, and a sweep beside another does not begin."""
    state = wiring.sweep_state()
    assert state.acquire("main", "one", 100, 10) == SweepDocument()
    assert state.acquire("main", "two", 105, 10) is None
    assert state.acquire("main", "two", 111, 10) == SweepDocument()
    with pytest.raises(LostLeaseError):
        state.save("main", "one", SweepDocument())
    relay.dynamo.state["sweep#main"]["lease_until"] = {"N": str(int(time.time()) + 100)}
    assert relay.sweep() == {"main": "under way elsewhere"}


def test_state_passes_other_errors_on(relay, monkeypatch):
    """An error of the table is raised, and not taken for another owner's lease."""
    broken = ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")

    def fail(**_):
        raise broken

    monkeypatch.setattr(relay.dynamo, "update_item", fail)
    monkeypatch.setattr(relay.dynamo, "put_item", fail)
    with pytest.raises(ClientError):
        wiring.sweep_state().acquire("main", "one", 100, 10)
    with pytest.raises(ClientError):
        wiring.sweep_state().save("main", "one", SweepDocument())


OLD_DOCUMENT = {
    "entities": {
        "deal": {"baseline": "done", "swept": 1771.5, "top": 40, "seen": 40, "lacking": 0,
                 "stalled": False, "audited": 1770.5, "reconciled": 1000.5},
        "lead": {"baseline": "reading", "swept": 1771.5, "top": 9, "seen": 9, "lacking": 2,
                 "stalled": True},
        "contact": {"refused": True},
        "company": {},
    },
    "jobs": [
        {"entity": "deal", "after": 20, "since": None, "found": 3, "lacking": 1, "top": 31,
         "mode": "new", "clock": 1900.5, "done": False},
        {"entity": "lead", "after": 0, "since": None, "found": 0, "lacking": 0, "top": 0,
         "mode": "completion", "again": True},
        {"entity": "deal", "after": 0, "since": "1970-01-01T00:00:00+00:00", "found": 0,
         "lacking": 0, "top": 0, "mode": "changed", "upto": 20, "failed": "later"},
    ],
    "asked": 1899.5,
    "shift": {"crm": [-3600, 1770.5]},
    "offset": 10800,
    "ahead": 1.25,
}  # fmt: skip


def test_a_document_of_an_older_version_is_read():
    """A document of an older version is read with each of its values."""
    document = SweepDocument.from_json(json.dumps(OLD_DOCUMENT))
    assert document == SweepDocument(
        kinds={
            "deal": KindProgress(
                DONE, swept_at=1771.5, highest_id=40, item_count=40, missing_rows=0,
                audited_at=1770.5, reconciled_at=1000.5,
            ),
            "lead": KindProgress(
                READING, swept_at=1771.5, highest_id=9, item_count=9, missing_rows=2,
                no_progress=True,
            ),
            "contact": KindProgress(refused=True),
            "company": KindProgress(),
        },
        jobs=[
            ListJob("deal", "new", after=20, item_count=3, missing_rows=1, highest_id=31,
                    started_at=1900.5),
            ListJob("lead", "completion", hint_missing=True),
            ListJob("deal", "changed", since="1970-01-01T00:00:00+00:00", up_to_id=20,
                    failed="later"),
        ],
        types_asked_at=1899.5,
        filter_offsets={"crm": (-3600, 1770.5)},
        zone_offset_seconds=10800,
        clock_ahead_seconds=1.25,
    )  # fmt: skip


def test_older_code_reads_a_document_of_this_code():
    """After a rollback, older code finds its names, and no baseline where none was begun."""
    text = SweepDocument.from_json(json.dumps(OLD_DOCUMENT)).to_json()
    stored = json.loads(text)
    assert "baseline" not in stored["entities"]["company"]
    assert (
        stored["entities"]["deal"] | OLD_DOCUMENT["entities"]["deal"] == stored["entities"]["deal"]
    )
    for job, old in zip(stored["jobs"], OLD_DOCUMENT["jobs"], strict=True):
        assert job | {name: value for name, value in old.items() if value is not None} == job
        assert job["since"] == (old["since"] or "")
    assert {name: stored[name] for name in ("asked", "shift", "offset", "ahead")} == {
        name: OLD_DOCUMENT[name] for name in ("asked", "shift", "offset", "ahead")
    }
    assert SweepDocument.from_json(text).to_json() == text


def test_names_of_newer_code_are_left_out():
    """Names that only newer code uses are ignored."""
    document = {"entities": {"deal": {"baseline": "done", "other": 1}}, "jobs": [], "other": 1}
    assert SweepDocument.from_json(json.dumps(document)).is_baselined("deal")


@pytest.mark.parametrize("baseline", [None, READING, DONE])
def test_a_first_filling_is_over_when_each_item_has_a_row(baseline):
    """Until then the first sight of an item is announced by its ADD event alone."""
    document = SweepDocument({"deal": KindProgress(baseline)})
    assert document.is_baselined("deal") is (baseline == DONE)
    assert not document.is_baselined("contact")
