"""relay.portal.pending: the calls that need a request to themselves, and the size of a chain."""

import asyncio
import json

import pytest

from relay.portal import Portal
from tests.portal_table import Table, read_list


def test_parameters_that_a_query_cannot_hold_are_sent_alone(wire, clock, webhook):
    """Names with dots, more than 1,000 values and keys with brackets are sent as JSON."""
    portal = Portal(webhook)

    async def both():
        await asyncio.gather(
            portal.call("a", **{"x.y": 1}),
            portal.call("b", ids=list(range(1001))),
            portal.call("c", x={"a]": 1}),
            portal.call("d"),
        )

    clock.run(both())
    assert [method for method, _ in wire.requests] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("ids", [range(1, 601), range(1, 6001, 10)])
def test_a_long_filter_leaves_room_for_fewer_pages(wire, clock, webhook, ids):
    """A chain that repeats a filter of 240 kB has four pages, and stays below 1.3 MB."""
    wire.answer = Table(ids)
    assert read_list(clock, Portal(webhook), filter={"title": "a" * 240_000}) == list(ids)
    sizes = [len(json.dumps(body)) for _, body in wire.requests]
    assert max(sizes) < 1_300_000
    assert len(sizes) == 4
