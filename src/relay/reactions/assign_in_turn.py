"""A new lead without a responsible person goes to the next person of a department.

The lead's id decides whose turn it is, so any number of copies agree without a common state, and a
repeat finds the same person. Ids grow by one: over many leads everybody gets equally many.
"""

from relay.change import Change
from relay.portal import PortalApi
from relay.reaction import reaction

DEPARTMENT_ID = 1  # its people take turns
UNASSIGNED_IDS = {None, 1}  # responsible for a lead that nobody took: here the portal's first user


@reaction
async def assign_in_turn(change: Change, portal: PortalApi) -> None:
    """lead.added -> user.get, crm.item.update."""
    added = (change.entity, change.action) == ("lead", "added")
    if not added or change.after["assignedById"] not in UNASSIGNED_IDS:
        return
    people = await portal.call(
        "user.get", sort="ID", order="ASC", FILTER={"UF_DEPARTMENT": DEPARTMENT_ID, "ACTIVE": True}
    )
    in_turn = [int(person["ID"]) for person in people if int(person["ID"]) not in UNASSIGNED_IDS]
    if not in_turn:
        raise LookupError(f"department {DEPARTMENT_ID} has no active user who could take a lead")
    person = in_turn[int(change.id) % len(in_turn)]
    await portal.call(
        "crm.item.update", entityTypeId=1, id=change.id, fields={"assignedById": person}
    )


handler = assign_in_turn.handler
