"""How far a portal reads a time in a filter from the time that was sent."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from relay.tracking import filter_offset, wiring
from relay.tracking.filter_offset import measure
from tests.tracking_aws import OLD
from tests.tracking_portal import ItemsPortal, seconds


@pytest.mark.parametrize("hours", [0, 3, -5, 5.75, 14, -14])
def test_the_offset_of_a_filter_is_measured(hours):
    """The result is the number of seconds to add to a time in a filter."""
    portal = ItemsPortal((2,))
    portal.put(2, 1, updatedTime=OLD)
    portal.filter_shift = hours * 3600
    updated = datetime.fromtimestamp(seconds(OLD), UTC)
    assert asyncio.run(measure(portal, "deal", 1, updated)) == -hours * 3600


def test_an_item_that_is_gone_or_changes_measures_nothing():
    """The offset stays unknown if the item is deleted or edited during the measurement."""
    portal = ItemsPortal((2,))
    updated = datetime.fromtimestamp(seconds(OLD), UTC)
    assert asyncio.run(measure(portal, "deal", 1, updated)) is None
    portal.put(2, 1, updatedTime=OLD)
    assert asyncio.run(measure(portal, "deal", 1, updated + timedelta(seconds=1))) is None


def test_a_sweep_stores_the_offset(relay):
    """The sweep stores the measured offset in its document."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    assert wiring.sweep_state().read("main").filter_offsets["crm"][0] == 0


@pytest.mark.parametrize(("days", "shift"), [(0, 0), (365, 3600)])
def test_an_offset_that_a_wrong_clock_dated_ahead_is_measured_again(relay, days, shift):
    """A portal's clock that is put right does not keep an old measurement for a year."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.sweep()
    with relay.document() as document:
        offset, measured_at = document.filter_offsets["crm"]
        document.filter_offsets["crm"] = offset, measured_at + days * 86_400
        document.kinds["deal"].audited_at = 0  # so that the item is listed
    relay.portal.filter_shift = -3600
    relay.sweep()
    assert wiring.sweep_state().read("main").filter_offsets["crm"][0] == shift


def test_an_item_without_a_time_measures_nothing(relay):
    """An item without a time of change is mirrored, and not used for the measurement."""
    relay.portal.put(2, 1, title="a", updatedTime="")
    relay.sweep()
    relay.settle()
    assert wiring.sweep_state().read("main").filter_offsets == {}


def test_a_measurement_without_a_result_is_not_stored(relay, monkeypatch):
    """A failed measurement stores nothing, so that the next sweep measures."""

    async def nothing(*_):
        return None

    monkeypatch.setattr(filter_offset, "measure", nothing)
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    assert wiring.sweep_state().read("main").filter_offsets == {}
