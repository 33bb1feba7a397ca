"""A new lead that is nobody's goes to the next person of a department.

Whose turn it is follows from the lead's id, so that any number of copies agree without asking each
other, and a repeat finds the same person. Ids grow by one: over many leads everybody gets as many.
"""

from relay.change import Change
from relay.portal import PortalApi
from relay.reaction import reaction

DEPARTMENT_ID = 1  # whose people take turns
NOBODY = {None, 1}  # whom the portal names where nobody took the lead: here its first user


@reaction
async def assign_in_turn(change: Change, portal: PortalApi) -> None:
    """lead.added -> user.get, crm.item.update."""
    added = (change.entity, change.action) == ("lead", "added")
    if not added or change.after["assignedById"] not in NOBODY:
        return
    people = await portal.call(
        "user.get", sort="ID", order="ASC", FILTER={"UF_DEPARTMENT": DEPARTMENT_ID, "ACTIVE": True}
    )
    in_turn = [int(person["ID"]) for person in people if int(person["ID"]) not in NOBODY]
    if not in_turn:
        raise LookupError(f"department {DEPARTMENT_ID} has nobody who could take a lead")
    person = in_turn[int(change.id) % len(in_turn)]
    await portal.call(
        "crm.item.update", entityTypeId=1, id=change.id, fields={"assignedById": person}
    )


handler = assign_in_turn.handler
