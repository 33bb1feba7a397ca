"""The ordeal's own reaction: it writes to deals that people edit too, and makes leads.

Its values begin with OURS, so that a Change shows whether a person's edit is in it. The function's
code is this file and the relay, so it imports nothing else.
"""

from relay.change import Change
from relay.portal import PortalApi
from relay.reaction import reaction

DEAL, LEAD = 2, 1
OURS = "guest: "
ASK = "a lead, please"
FIELD = "sourceDescription"


@reaction
async def guest(change: Change, portal: PortalApi) -> None:
    """deal.added, deal.updated (comments) -> crm.item.update, or crm.item.add of a lead."""
    text = change.after["comments"]
    if text and ASK in text:
        fields = {"title": f"{OURS}{change.change_id}"}
        await portal.call("crm.item.add", entityTypeId=LEAD, fields=fields)
    elif text:
        fields = {FIELD: f"{OURS}{text}"}
        await portal.call("crm.item.update", entityTypeId=DEAL, id=change.id, fields=fields)


handler = guest.handler
