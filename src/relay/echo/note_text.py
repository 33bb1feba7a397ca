"""The text of a note: which fields a write set to which values, who wrote and when.

    {"at": 1772366400, "user": 7, "fields": {"title": "New", "fm": [["12", "+7", "PHONE", "WORK"]]}}

Values of more than a few characters are digests (relay.echo.same_value). Phones and the like are
rows of number, text, kind and use under `fm`; a new row has no number yet.
"""

import json
from typing import NamedTuple

from relay.echo.effects import WrittenItem, is_map
from relay.echo.same_value import short
from relay.field_names import plain
from relay.portal.api import Result

NOTE_BYTES = 8_000
# Of a note after the call: whether all rows were set, and digests by their ids.
ROWS = "productrows"
MULTI_FIELD = "fm"
MULTI_FIELDS = {"phone", "email", "web", "im", "link"}  # written by these names too, read as `fm`


class NoteText(NamedTuple):
    """A note: the time (epoch s), the id of the writing user, and the values by plain names."""

    at: int
    user: int
    fields: dict[str, Result]

    @classmethod
    def of(cls, written: WrittenItem, user_id: int, now: float) -> "NoteText":
        """Return the note of a write, by the names under which the fields will be read."""
        fields: dict[str, Result] = {}
        for field, value in written.fields.items():
            if field in MULTI_FIELDS or field == MULTI_FIELD:
                kind = "" if field == MULTI_FIELD else field.upper()
                fields[MULTI_FIELD] = [*fields.get(MULTI_FIELD, []), *_rows(value, kind)]
            elif field == ROWS:
                fields[ROWS] = value
            elif field == "statusid":  # of leads and quotes
                fields["stageid"] = short(value)
            else:
                fields[field] = short(value)
        return cls(int(now), user_id, fields)

    @classmethod
    def parse(cls, text: str) -> "NoteText":
        """Return the note that `to_json` wrote."""
        note = json.loads(text)
        return cls(note["at"], note["user"], note["fields"])

    def to_json(self) -> str:
        """Return the note's text; empty without fields, or where it has more than NOTE_BYTES."""
        if not self.fields:
            return ""
        text = json.dumps(self._asdict(), ensure_ascii=False, separators=(",", ":"), default=str)
        data = text.encode("utf-8", "replace")  # as the portal gets it
        return data.decode() if len(data) <= NOTE_BYTES else ""


def _rows(value: object, kind: str) -> list[tuple[str, str, str, str]]:
    pairs = [("", row) for row in value] if isinstance(value, list | tuple) else []
    found = []
    for key, row in value.items() if is_map(value) else pairs:
        given = {plain(name): one for name, one in row.items()} if is_map(row) else {}
        number = str(given.get("id", key))
        text = "" if given.get("delete") == "Y" else str(given.get("value", ""))
        typed, use = str(given.get("typeid", kind)), str(given.get("valuetype", ""))
        found.append((number if number.isdecimal() else "", text, typed, use))
    return found
