"""A new lead gets a comment that names who else has its phones and e-mails."""

import asyncio

from relay.change import Change
from relay.portal import PortalApi
from relay.reaction import reaction

MAX_VALUES = 20  # in one call of crm.duplicate.findbycomm


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
            portal.call("crm.duplicate.findbycomm", type=kind, values=texts[:MAX_VALUES])
            for kind, texts in values.items()
            if texts
        )
    )
    owners = {
        f"{entity.lower()} {item}"
        for answer in answers
        for entity, items in (answer or {}).items()  # without a match it is an empty list
        for item in items
    } - {f"lead {change.id}"}
    if owners:
        comment = f"Same phone or e-mail: {', '.join(sorted(owners))}"
        await portal.call(
            "crm.timeline.comment.add",
            fields={"ENTITY_TYPE": "lead", "ENTITY_ID": change.id, "COMMENT": comment},
        )


handler = find_duplicates.handler
