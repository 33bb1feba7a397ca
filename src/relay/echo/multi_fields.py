"""Phones, e-mails and the like (`fm`): whether a reading shows only what reactions wrote."""

from collections.abc import Iterable, Mapping, Sequence

from relay.cloudevent import Parsed
from relay.echo.note_text import MULTI_FIELD, NoteText


def explains_multi_fields(notes: Iterable[NoteText], before: Parsed, after: Parsed) -> bool:
    """Say whether two states of the rows differ by what was noted; the newest notes come first."""
    noted = _noted_rows(notes)
    new = [row for row in noted if not row[0]]
    olds, rows = _by_number(before), _by_number(after)
    for number in olds.keys() | rows.keys():
        old, row = olds.get(number), rows.get(number)
        if row == old:
            continue
        mine = [written for written in noted if written[0] == number] if old else new
        found = next((written for written in mine if _is_row(written, old, row)), None)
        if found is None:
            return False
        if not old:
            new.remove(found)  # one row for each that was written
    return bool(noted)


def _noted_rows(notes: Iterable[NoteText]) -> list[Sequence[str]]:
    """Return the rows of all notes: of the rows of one number the newest."""
    rows: list[Sequence[str]] = []
    numbers: set[str] = set()
    for note in notes:
        mine = [row for row in note.fields.get(MULTI_FIELD, ()) if row[0] not in numbers]
        numbers |= {row[0] for row in mine if row[0]}
        rows += mine
    return rows


def _is_row(
    noted: Sequence[str], old: Mapping[str, object] | None, row: Mapping[str, object] | None
) -> bool:
    """Return whether a row is as it was noted; unwritten parts must be as before."""
    _, text, *more = noted
    if row is None:
        return text == ""
    if str(row.get("value", "")) != text:
        return False
    for name, written in zip(("typeId", "valueType"), more, strict=True):
        if (written or old) and row.get(name) != (written or (old or {}).get(name)):
            return False
    return True


def _by_number(rows: object) -> dict[str, Mapping[str, object]]:
    return {str(row["id"]): row for row in rows} if isinstance(rows, list) else {}
