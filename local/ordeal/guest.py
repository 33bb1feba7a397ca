"""The ordeal's own reaction: it writes to deals that people write to, and makes leads.

Its values are nobody else's, so that a Change tells whether a person's act is in it. The file is
all of the function's code beside the relay, and imports nothing else.
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
