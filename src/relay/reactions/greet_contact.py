"""A new contact gets a comment in its timeline, and its responsible person a notification."""

from relay.event import Event
from relay.portal import PortalApi
from relay.reaction import reaction


@reaction
async def greet_contact(event: Event, portal: PortalApi) -> None:
    """ONCRMCONTACTADD -> crm.item.get, crm.timeline.comment.add, im.notify.system.add."""
    if event.name != "ONCRMCONTACTADD":  # a changed filter takes minutes
        return
    answer = await portal.call("crm.item.get", entityTypeId=3, id=event.id)
    contact = answer["item"]
    name = " ".join(filter(None, [contact.get("name"), contact.get("lastName")])) or "a contact"
    await portal.call(
        "crm.timeline.comment.add",
        fields={"ENTITY_TYPE": "contact", "ENTITY_ID": event.id, "COMMENT": f"Welcome, {name}!"},
    )
    await portal.call(
        "im.notify.system.add",
        USER_ID=contact["assignedById"],
        MESSAGE=f"{name} is a new contact of yours",
    )


handler = greet_contact.handler
