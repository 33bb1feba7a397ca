"""A deal reaches a stage -> its responsible person gets a notification with the stage's name."""

from relay.change import Change
from relay.portal import PortalApi
from relay.reaction import reaction


@reaction
async def notify_stage(change: Change, portal: PortalApi) -> None:
    """deal.added, deal.updated (stageId) -> crm.status.list, im.notify.system.add."""
    if change.entity != "deal" or not change.moved("stageId"):
        return
    deal = change.after
    funnel = deal["categoryId"]
    directory = f"DEAL_STAGE_{funnel}" if funnel else "DEAL_STAGE"  # the first funnel has no number
    stages = await portal.call(
        "crm.status.list", filter={"ENTITY_ID": directory, "STATUS_ID": deal["stageId"]}
    )
    stage = stages[0]["NAME"] if stages else deal["stageId"]
    await portal.call(
        "im.notify.system.add",
        USER_ID=deal["assignedById"],
        MESSAGE=f"{deal['title']} has reached {stage}",
    )


handler = notify_stage.handler
