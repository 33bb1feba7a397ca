"""A deal reaches a stage -> its responsible person gets a notification with the stage's name.

Each stage that the deal passed is named, also if it has left it again before it was read.
"""

import asyncio
from collections.abc import Mapping

from relay.change import Change
from relay.cloudevent import Parsed
from relay.portal import PortalApi
from relay.reaction import reaction


@reaction
async def notify_stage(change: Change, portal: PortalApi) -> None:
    """deal.added, deal.updated (passed) -> crm.status.list, im.notify.system.add."""
    if change.entity != "deal" or not change.passed:
        return
    deal = change.after
    names = await asyncio.gather(*(_name(portal, step) for step in change.steps))
    await portal.call(
        "im.notify.system.add",
        USER_ID=deal["assignedById"],
        MESSAGE=f"{deal['title']} has reached {', then '.join(names or change.passed)}",
    )


async def _name(portal: PortalApi, step: Mapping[str, Parsed]) -> str:
    """Return the name of a stage; its id where it was removed since."""
    funnel, stage = step["categoryId"], str(step["stageId"])
    directory = f"DEAL_STAGE_{funnel}" if funnel else "DEAL_STAGE"  # the first funnel has no number
    stages = await portal.call(
        "crm.status.list", filter={"ENTITY_ID": directory, "STATUS_ID": stage}
    )
    return str(stages[0]["NAME"]) if stages else stage


handler = notify_stage.handler
