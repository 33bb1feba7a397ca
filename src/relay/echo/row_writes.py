"""Product rows that reactions wrote: a note after the call, and whether a reading shows only them.

The portal fills in what a written row lacks (its name, unit, tax), so nothing but the answer of the
call tells how the rows are stored: each row's id and the digest of its content. What may happen
between that answer and the reading, and what becomes of it:
  nothing                         the rows read are those noted, or were there before: an echo
  a person edits, adds, removes   a row has another digest, no note, or is missing: a person's. All
                                  but a `productrows.set` of the same total also save the item
  a person edited before a `set`  nothing is left of the edit, as of a field that is overwritten
  another reaction writes rows    its note has them; of two notes of one row the newest counts
  the reading is quicker          than the note, or the answer was lost: no note, so a person's
  `delete`, `deal.productrows.set`  their answers have no rows: a person's
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from relay.cloudevent import Parsed
from relay.echo.effects import WrittenItem, is_map, owner_of, written_item
from relay.echo.note_text import ROWS, NoteText
from relay.portal.api import Params
from relay.product_rows import DERIVED, OF_OWNER, TEXTS, ProductRow

_MADE = OF_OWNER | DERIVED | {"type", "storeId", "id"}  # by the portal; some answers lack them

type Digests = Mapping[str, str]  # by the row's id


def written_rows(method: str, params: Params, result: object) -> WrittenItem | None:
    """Return the item whose rows an answered call wrote, with digests; None for other calls."""
    given = result if is_map(result) else {}
    match method.lower().split("."):
        case ["crm", "item", "productrow", "set"]:
            item, rows = written_item(method, params), given.get("productRows")
            if item and isinstance(rows, list) and all(is_map(row) and "id" in row for row in rows):
                return WrittenItem(item.entity, item.id, {ROWS: [True, _digests(rows)]})
        case ["crm", "item", "productrow", "add" | "update"]:
            row = given.get("productRow")
            if is_map(row) and "id" in row and str(row.get("ownerId")).isdecimal():
                item_id = str(row["ownerId"])
                return WrittenItem(
                    owner_of(row.get("ownerType")), item_id, {ROWS: [False, _digests([row])]}
                )
    return None


def explains_rows(notes: Iterable[NoteText], before: Parsed, after: Parsed) -> bool:
    """Say whether two states of the rows differ by what was noted; the newest notes come first."""
    newest: dict[str, tuple[int, set[str]]] = {}
    sets: list[tuple[int, Digests]] = []
    for note in notes:
        match note.fields.get(ROWS):
            case [whole, digests]:
                sets += [(note.at, digests)] if whole else []
                for number, digest in digests.items():
                    at, noted = newest.setdefault(number, (note.at, set()))
                    if at == note.at:
                        noted.add(digest)
    if not newest and not sets:
        return False
    old, new = _digests(before or []), _digests(after or [])
    for number, digest in new.items():
        if digest != old.get(number) and digest not in newest.get(number, (0, ()))[1]:
            return False
    # Rows that were set together are all there until the next set.
    if any(0 < len(digests.keys() & new.keys()) < len(digests) for _, digests in sets):
        return False
    # A set leaves no row of before.
    last = [digests for at, digests in sets if at == sets[0][0] and digests.keys() <= new.keys()]
    return old.keys() <= new.keys() or (bool(last) and not old.keys() & new.keys())


def _digests(rows: Sequence[ProductRow]) -> dict[str, str]:
    return {str(row["id"]): _digest(row) for row in rows}


def _digest(row: ProductRow) -> str:
    """Return a digest of a row's content, the same for an answer and a reading."""
    content = {
        name: _plain(name, value)
        for name, value in row.items()
        if name not in _MADE
        and value not in (None, "", False)
        and (name, value) != ("productId", 0)
    }
    return sha256(repr(sorted(content.items())).encode("utf-8", "replace")).hexdigest()[:12]


def _plain(name: str, value: Parsed) -> str:
    """Return a value in one spelling; the portal answers some numbers as texts."""
    try:
        return str(value) if name in TEXTS else f"{float(value):.10g}"
    except (TypeError, ValueError):
        return str(value)
