"""A missed call -> a to-do in the caller's card, or a task where the number is unknown."""

from datetime import datetime, timedelta
from typing import Any

from relay.event import Event
from relay.portal import PortalApi
from relay.reaction import reaction

WITHIN = timedelta(hours=1)
FALLBACK_USER_ID = 1  # calls back where no user's phone rang
OWNERS = {"CONTACT": 3, "COMPANY": 4, "LEAD": 1}  # the first that has the number gets the to-do


def is_missed(call: dict[str, Any]) -> bool:
    """Return whether a call came in and nobody answered it."""
    return call.get("CALL_TYPE") in {"2", "3"} and call.get("CALL_FAILED_CODE") == "304"


@reaction
async def call_back(event: Event, portal: PortalApi) -> None:
    """ONVOXIMPLANTCALLEND -> crm.duplicate.findbycomm, crm.activity.todo.add or tasks.task.add."""
    call = event.payload
    if event.name != "ONVOXIMPLANTCALLEND" or not is_missed(call):
        return
    number, user_id = call["PHONE_NUMBER"], int(call.get("PORTAL_USER_ID") or FALLBACK_USER_ID)
    title = f"Call {number} back"
    deadline = (datetime.fromisoformat(event.time) + WITHIN).isoformat()
    owners = await portal.call("crm.duplicate.findbycomm", type="PHONE", values=[number])
    for entity, kind in OWNERS.items():
        if entity in owners:
            await portal.call(
                "crm.activity.todo.add",
                ownerTypeId=kind,
                ownerId=owners[entity][0],
                deadline=deadline,
                title=title,
                responsibleId=user_id,
            )
            return
    await portal.call(
        "tasks.task.add", fields={"TITLE": title, "RESPONSIBLE_ID": user_id, "DEADLINE": deadline}
    )


handler = call_back.handler
