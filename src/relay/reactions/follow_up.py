"""A won deal gets a task for its responsible person, and a comment that names the task."""

from relay.change import Change
from relay.portal import PortalApi
from relay.reaction import reaction


@reaction
async def follow_up(change: Change, portal: PortalApi) -> None:
    """deal.added, deal.updated (won) -> tasks.task.add, crm.timeline.comment.add."""
    if change.entity != "deal" or not change.moved("stageSemanticId", to="S"):
        return
    deal = change.after
    task = await portal.call(
        "tasks.task.add",
        fields={
            "TITLE": f"Call {deal['title']}",
            "RESPONSIBLE_ID": deal["assignedById"],
            "UF_CRM_TASK": [f"D_{change.id}"],
        },
    )
    comment = f"Follow-up: task {task['task']['id']}"
    await portal.call(
        "crm.timeline.comment.add",
        fields={"ENTITY_TYPE": "deal", "ENTITY_ID": change.id, "COMMENT": comment},
    )


handler = follow_up.handler
