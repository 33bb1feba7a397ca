"""A new lead whose phone or e-mail is known gets a comment that says whose."""

import asyncio

from relay.change import Change
from relay.portal import PortalApi
from relay.reaction import reaction

MOST_VALUES = 20  # of one call


@reaction
async def find_duplicates(change: Change, portal: PortalApi) -> None:
    """lead.added -> crm.duplicate.findbycomm, crm.timeline.comment.add."""
    if (change.entity, change.action) != ("lead", "added"):
        return
    values: dict[str, list[str]] = {"EMAIL": [], "PHONE": []}
    for row in change.after["fm"] or []:
        if row["typeId"] in values:
            values[row["typeId"]].append(row["value"])
    answers = await asyncio.gather(
        *(
            portal.call("crm.duplicate.findbycomm", type=kind, values=its[:MOST_VALUES])
            for kind, its in values.items()
            if its
        )
    )
    found = {
        f"{entity.lower()} {item}"
        for answer in answers
        for entity, items in (answer or {}).items()  # nothing found is an empty list
        for item in items
    } - {f"lead {change.id}"}
    if found:
        comment = f"Known already: {', '.join(sorted(found))}"
        await portal.call(
            "crm.timeline.comment.add",
            fields={"ENTITY_TYPE": "lead", "ENTITY_ID": change.id, "COMMENT": comment},
        )


handler = find_duplicates.handler
