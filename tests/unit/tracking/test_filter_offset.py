"""How far a portal reads a time in a filter from the time that was sent."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from relay.tracking import sweep_pass, wiring
from relay.tracking.filter_offset import measure
from tests.tracking_aws import OLD
from tests.tracking_portal import ItemsPortal, seconds


@pytest.mark.parametrize("hours", [0, 3, -5, 5.75])
def test_a_shifted_filter_is_measured(hours):
    """The shift that is found is what has to be added."""
    portal = ItemsPortal((2,))
    portal.put(2, 1, updatedTime=OLD)
    portal.filter_shift = hours * 3600
    updated = datetime.fromtimestamp(seconds(OLD), UTC)
    assert asyncio.run(measure(portal, "deal", 1, updated)) == -hours * 3600


def test_a_shift_that_can_not_be_seen_stays_unknown():
    """An item that is gone, or that changes meanwhile, measures nothing."""
    portal = ItemsPortal((2,))
    updated = datetime.fromtimestamp(seconds(OLD), UTC)
    assert asyncio.run(measure(portal, "deal", 1, updated)) is None
    portal.put(2, 1, updatedTime=OLD)
    assert asyncio.run(measure(portal, "deal", 1, updated + timedelta(seconds=1))) is None


def test_an_unmeasured_shift_is_measured_later(relay):
    """A measurement that failed is tried with the next sweep."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    assert wiring.sweep_state().read("main").filter_offsets["crm"][0] == 0


def test_an_item_without_a_time_is_always_looked_at(relay):
    """Where the portal tells no time of change, nothing can be known."""
    relay.portal.put(2, 1, title="a", updatedTime="")
    relay.sweep()
    relay.settle()
    assert wiring.sweep_state().read("main").filter_offsets == {}


def test_a_measurement_without_a_result_is_repeated(relay, monkeypatch):
    """An item that changed while it was measured measures nothing."""

    async def nothing(*_):
        return None

    monkeypatch.setattr(sweep_pass, "measure", nothing)
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    assert wiring.sweep_state().read("main").filter_offsets == {}
