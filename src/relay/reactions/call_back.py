"""A missed call -> a to-do at the caller, or a task for who was rung where nobody knows them."""

from datetime import datetime, timedelta
from typing import Any

from relay.event import Event
from relay.portal import PortalApi
from relay.reaction import reaction

WITHIN = timedelta(hours=1)
NOBODY_ID = 1  # who calls back where nobody was rung
OWNERS = {"CONTACT": 3, "COMPANY": 4, "LEAD": 1}  # the first that knows the number gets the to-do


def is_missed(call: dict[str, Any]) -> bool:
    """Say whether a call came in and nobody took it."""
    return call.get("CALL_TYPE") in {"2", "3"} and call.get("CALL_FAILED_CODE") == "304"


@reaction
async def call_back(event: Event, portal: PortalApi) -> None:
    """ONVOXIMPLANTCALLEND -> crm.duplicate.findbycomm, crm.activity.todo.add or tasks.task.add."""
    call = event.payload
    if event.name != "ONVOXIMPLANTCALLEND" or not is_missed(call):
        return
    number, rung = call["PHONE_NUMBER"], int(call.get("PORTAL_USER_ID") or NOBODY_ID)
    title = f"Call {number} back"
    deadline = (datetime.fromisoformat(event.time) + WITHIN).isoformat()
    found = await portal.call("crm.duplicate.findbycomm", type="PHONE", values=[number])
    for entity, kind in OWNERS.items():
        if entity in found:
            await portal.call(
                "crm.activity.todo.add",
                ownerTypeId=kind,
                ownerId=found[entity][0],
                deadline=deadline,
                title=title,
                responsibleId=rung,
            )
            return
    await portal.call(
        "tasks.task.add", fields={"TITLE": title, "RESPONSIBLE_ID": rung, "DEADLINE": deadline}
    )


handler = call_back.handler
