"""Two states of an item's product rows -> which rows were added, changed and removed. Pure.

The portal keeps a row's id while one row is edited, and gives every row a new id when all are set
at once (`crm.item.productrow.set`, the card). So rows are paired by id first, then by equal
content, then by product and name in their order. An id alone is no difference.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from relay.cloudevent import Parsed

PRODUCT_ROWS = "productRows"  # the field
# Members of a row in an answer: those that its owner has, those that the portal makes from the
# price, the discount and the tax, and texts, which may look like numbers.
OF_OWNER = {"ownerId", "ownerType", "customized"}
DERIVED = {"priceAccount", "priceExclusive", "priceNetto", "priceBrutto"}
TEXTS = {"productName", "measureName", "xmlId", "customized", "taxIncluded"}

type ProductRow = Mapping[str, Parsed]


class ChangedRow(NamedTuple):
    """One row before and after; `fields` are the names of the fields that differ."""

    before: ProductRow
    after: ProductRow
    fields: tuple[str, ...]


class RowChanges(NamedTuple):
    """What happened to an item's product rows."""

    added: list[ProductRow]
    changed: list[ChangedRow]
    removed: list[ProductRow]

    def __bool__(self) -> bool:
        """Return whether anything happened."""
        return bool(self.added or self.changed or self.removed)


def same_rows(before: Parsed, after: Parsed) -> bool:
    """Say whether two states of the field are equal, ids apart."""
    if not isinstance(before, list) or not isinstance(after, list):
        return bool(before == after)
    return [_content(row) for row in before] == [_content(row) for row in after]


def compare_rows(before: Parsed, after: Parsed) -> RowChanges:
    """Return the difference of two states of the field `productRows`; None is a state without."""
    old: list[ProductRow] = list(before or [])
    new: list[ProductRow] = list(after or [])
    changed = []
    pairs, old, new = _paired(old, new)
    for one, other in pairs:
        fields = sorted(
            name
            for name in one.keys() | other.keys()
            if name != "id" and one.get(name) != other.get(name)
        )
        if fields:
            changed.append(ChangedRow(one, other, tuple(fields)))
    return RowChanges(new, changed, old)


def _paired(
    old: list[ProductRow], new: list[ProductRow]
) -> tuple[list[tuple[ProductRow, ProductRow]], list[ProductRow], list[ProductRow]]:
    """Return pairs of one row's two states in the new order, and the rows left on each side."""
    found: dict[int, ProductRow] = {}  # by the place among the new rows
    for key in (_by_id, _by_content, _by_product):
        waiting: dict[object, list[ProductRow]] = defaultdict(list)
        for row in old:
            waiting[key(row)].append(row)
        for at, row in enumerate(new):
            if at not in found and (candidates := waiting[key(row)]) and key(row) is not None:
                found[at] = candidates.pop(0)
        taken = {id(row) for row in found.values()}
        old = [row for row in old if id(row) not in taken]
    pairs = [(found[at], new[at]) for at in sorted(found)]
    return pairs, old, [row for at, row in enumerate(new) if at not in found]


def _by_id(row: ProductRow) -> object:
    return row.get("id")


def _by_content(row: ProductRow) -> object:
    return tuple(sorted((name, str(value)) for name, value in _content(row).items()))


def _by_product(row: ProductRow) -> object:
    return row.get("productId"), row.get("productName")


def _content(row: ProductRow) -> dict[str, Parsed]:
    return {name: value for name, value in row.items() if name != "id"}


def ordered[Row: ProductRow](rows: Sequence[Row]) -> list[Row]:
    """Return rows in the order in which the portal shows them."""
    return sorted(rows, key=lambda row: (row.get("sort") or 0, row.get("id") or 0))
