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


def test_state_passes_other_errors_on(relay):
    """An error of the table is raised, and not taken for another owner's lease."""
    broken = ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")

    def fail(**_):
        raise broken

    relay.dynamo.update_item = fail
    relay.dynamo.put_item = fail
    with pytest.raises(ClientError):
        wiring.sweep_state().acquire("main", "one", 100, 10)
    with pytest.raises(ClientError):
        wiring.sweep_state().save("main", "one", SweepDocument())


def test_a_document_is_stored_with_each_of_its_values():
    """What is stored of a document is read back, values that are not the default's included."""
    document = SweepDocument(
        kinds={
            "deal": KindProgress(
                DONE, swept_at=1771.5, highest_id=40, item_count=40, missing_rows=2,
                no_progress=True, audited_at=1770.5, reconciled_at=1000.5, parts="steps",
                settled_step=7, steps_refused=True,
            ),
            "contact": KindProgress(refused=True),
        },
        jobs=[
            ListJob("deal", "new", after=20, item_count=3, missing_rows=1, highest_id=31,
                    started_at=1900.5),
            ListJob("lead", "completion", hint_missing=True, parts="steps", done=True),
            ListJob("deal", "changed", since="1970-01-01T00:00:00+00:00", up_to_id=20,
                    failed="later"),
        ],
        types_asked_at=1899.5,
        filter_offsets={"crm": (-3600, 1770.5)},
        zone_offset_seconds=10800,
        clock_ahead_seconds=1.25,
    )  # fmt: skip
    assert SweepDocument.from_json(document.to_json()) == document


def test_a_document_of_other_code_is_read():
    """Names that only newer code uses are ignored; what is not stored has its default."""
    document = {"kinds": {"deal": {"baseline": "done", "other": 1}}, "other": 1}
    read = SweepDocument.from_json(json.dumps(document))
    assert read == SweepDocument({"deal": KindProgress(DONE)})


@pytest.mark.parametrize("baseline", [None, READING, DONE])
def test_a_first_filling_is_over_when_each_item_has_a_row(baseline):
    """Until then the first sight of an item is announced by its ADD event alone."""
    document = SweepDocument({"deal": KindProgress(baseline)})
    assert document.is_baselined("deal") is (baseline == DONE)
    assert not document.is_baselined("contact")
