"""relay.reaction.portal: what a reaction may ask of its portal."""

import asyncio

from relay.portal import PortalApi
from relay.portal.fake import FakePortal
from relay.reaction.portal import OncePortal
from tests.runs import COMMENT


def test_reads_cost_no_checkpoint(record):
    """They pass through, every time, and nothing is stored."""
    portal = FakePortal({"crm.item.get": {"item": {}}, "crm.item.list": {"items": [{"id": 1}]}})

    async def read(its):
        await its.call("crm.item.get", entityTypeId=2, id=5)
        with its.busy():
            listed = [item async for item in its.list("crm.item.list", entityTypeId=2)]
        await its.batch({"a": ("crm.item.get", {"id": 5})})
        return listed

    assert record.deliver(portal, read) == [{"id": 1}]
    assert record.deliver(portal, read) == [{"id": 1}]
    assert not record.table.asked
    assert len(portal.calls) == 6


def test_a_reaction_has_all_that_a_portal_has(record):
    """What a test may use of a FakePortal, a reaction may use in production."""
    assert {name for name in vars(PortalApi) if not name.startswith("_")} <= set(vars(OncePortal))
    portal, made = FakePortal({COMMENT: lambda fields: made.append(fields) or 1}), []

    async def react(its):
        task = asyncio.create_task(its.call(COMMENT, fields={"COMMENT": "x"}))
        await asyncio.sleep(0)
        task.cancel()
        await its.settled()
        return its.requests

    assert record.deliver(portal, react) == 1
    assert made == [{"COMMENT": "x"}]
