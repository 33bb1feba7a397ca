"""A won deal gets a comment with its product rows and their total."""

from relay.change import Change
from relay.portal import PortalApi
from relay.reaction import reaction

MOST_LINES = 50


@reaction
async def order_summary(change: Change, portal: PortalApi) -> None:
    """deal.added, deal.updated (won) -> crm.item.productrow.list, crm.timeline.comment.add."""
    if change.entity != "deal" or not change.moved("stageSemanticId", to="S"):
        return
    deal = change.after
    rows = deal["productRows"]
    if "productRows" in change.truncated:  # too many for a message
        owner = {"=ownerType": "D", "=ownerId": int(change.id)}
        rows = [row async for row in portal.list("crm.item.productrow.list", filter=owner)]
    if not rows:
        return
    lines = [f"{row['quantity']:g} x {row['productName']}, {row['price']:.2f} each" for row in rows]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"and {len(rows) - MOST_LINES} more"]
    total = sum(row["quantity"] * row["price"] for row in rows)
    lines.append(f"Total: {total:.2f} {deal['currencyId'] or ''}".rstrip())
    await portal.call(
        "crm.timeline.comment.add",
        fields={"ENTITY_TYPE": "deal", "ENTITY_ID": change.id, "COMMENT": "\n".join(lines)},
    )


handler = order_summary.handler
