"""relay.reaction.portal: what a reaction may ask of its portal."""

import asyncio

from relay.portal import PortalApi
from relay.portal.fake import FakePortal
from relay.reaction.portal import OncePortal
from tests.runs import COMMENT


def test_reads_cost_no_checkpoint(record):
    """Reads are sent in every delivery, and nothing is stored of them."""
    portal = FakePortal({"crm.item.get": {"item": {}}, "crm.item.list": {"items": [{"id": 1}]}})

    async def read(once):
        await once.call("crm.item.get", entityTypeId=2, id=5)
        with once.busy():
            listed = [item async for item in once.list("crm.item.list", entityTypeId=2)]
        await once.batch({"a": ("crm.item.get", {"id": 5})})
        return listed

    assert record.deliver(portal, read) == [{"id": 1}]
    assert record.deliver(portal, read) == [{"id": 1}]
    assert not record.table.asked
    assert len(portal.calls) == 6


def test_a_reaction_has_all_that_a_portal_has(record):
    """The portal of a reaction has every member of PortalApi, and settles cancelled calls."""
    assert {name for name in vars(PortalApi) if not name.startswith("_")} <= set(vars(OncePortal))
    portal, made = FakePortal({COMMENT: lambda fields: made.append(fields) or 1}), []

    async def react(once):
        task = asyncio.create_task(once.call(COMMENT, fields={"COMMENT": "x"}))
        await asyncio.sleep(0)
        task.cancel()
        await once.settled()
        return once.requests

    assert record.deliver(portal, react) == 1
    assert made == [{"COMMENT": "x"}]
