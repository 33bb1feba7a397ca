"""A company gets another responsible person -> its contacts and open deals get the same.

The lists do not depend on the field that is written: after a crash in the middle a repeat lists the
same items, and its finished updates are not sent again.
"""

import asyncio
from typing import Any

from relay.change import Change
from relay.portal import PortalApi
from relay.reaction import reaction

CONTACT, DEAL = 3, 2


@reaction
async def hand_over(change: Change, portal: PortalApi) -> None:
    """company.updated (assignedById) -> crm.item.list, crm.item.update."""
    updated = (change.entity, change.action) == ("company", "updated")
    if not updated or not change.moved("assignedById"):  # a new company takes nobody's contacts
        return
    person = {"assignedById": change.after["assignedById"]}
    company: dict[str, Any] = {"companyId": int(change.id)}
    contacts, deals = await asyncio.gather(
        _ids(portal, CONTACT, company),
        _ids(portal, DEAL, company | {"stageSemanticId": "P"}),  # in process: neither won nor lost
    )
    await asyncio.gather(
        *(
            portal.call("crm.item.update", entityTypeId=kind, id=item, fields=person)
            for kind, ids in ((CONTACT, contacts), (DEAL, deals))
            for item in ids
        )
    )


async def _ids(portal: PortalApi, kind: int, condition: dict[str, Any]) -> list[int]:
    items = portal.list("crm.item.list", entityTypeId=kind, filter=condition, select=["id"])
    return [item["id"] async for item in items]


handler = hand_over.handler
