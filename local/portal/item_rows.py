"""The product rows of an item, as the portal keeps them: on its card, and when it is deleted."""

from typing import Any

from local.portal.portal import Portal
from local.portal.schema import FIRST_DYNAMIC, PRODUCT_OWNERS
from local.portal.table import Row, Table

# What a row keeps when all rows of a card are saved.
_KEPT = (
    *("productId", "productName", "price", "quantity", "discountTypeId", "discountRate"),
    *("discountSum", "taxRate", "taxIncluded", "measureCode", "measureName", "xmlId"),
)
_WITH_ROWS = {1, 2, 7, 31}


def _rows(portal: Portal, kind: int, number: int) -> list[Row]:
    table = portal.tables.get("crm.item.productrow", Table())
    codes = {code for code, owner in PRODUCT_OWNERS.items() if owner == kind} | {f"T{kind:x}"}
    return [row for row in table.walk() if row["ownerId"] == number and row["ownerType"] in codes]


def product_rows(portal: Portal, kind: int, number: int) -> Any:
    """Return an item's rows in their order, with what its kind is called; None for other kinds."""
    if kind not in _WITH_ROWS and kind < FIRST_DYNAMIC:
        return None
    code = next((name for name, owner in PRODUCT_OWNERS.items() if owner == kind), f"T{kind:x}")
    rows = sorted(_rows(portal, kind, number), key=lambda row: (row.get("sort") or 0, row["id"]))
    shown = [{key: row[key] for key in _KEPT if row.get(key) is not None} for row in rows]
    return {"ownerType": code, "rows": shown}


def forget_rows(portal: Portal, kind: int, number: int) -> None:
    """Take a deleted item's product rows away."""
    for row in _rows(portal, kind, number):
        portal.tables["crm.item.productrow"].pop(row["id"])
