"""A row of the mirror: what is last known of an item, tombstones included.

pk `<portal>/<entity>`, id (number), seq, born, format, kind, content, updated, read_at, via, quiet,
names (a digest of the names of all fields that the portal showed; older rows have none), added

An item that is added while the mirror fills may be read before its ADD event: its first row is
quiet, and `open`. The row stays open (`added` is OPEN) until a reading for the ADD event puts a
version with NOW; announce tells that version as added, whatever the row before it says.
  baseline, ADD           seq 1 quiet, seq 2 NOW: added
  ADD, baseline           seq 1 is not quiet: added; never open
  baseline, UPDATE, ADD   seq 2 is OPEN and told as updated if it differs, seq 3 NOW: added
  both read at base 0     the ADD's put meets a conflict with an open row and looks again, even
                          if the content is equal; a second conflict returns its hint
  ADD twice               who puts first closes the row: put is conditional on seq, so one wins
  ADD repeated            the row is no longer open: equal content, no Change
  unreadable, deleted     the mark leaves a row open; a tombstone closes it, for what comes after
                          a tombstone is added in any case
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from relay.errors import NewerFormatError
from relay.tracking.projection import FORMAT, Form

ITEM, TOMBSTONE, UNREADABLE = "item", "tombstone", "unreadable"
OPEN, NOW = "open", "now"
MOST_ID = 2**63 - 1  # a portal counts in PHP's integers
# DynamoDB's limit is 400 KB; the other attributes need less than 1 KB (DECISIONS.md).
CONTENT_BYTES = 380_000


class Key(NamedTuple):
    """Which item."""

    portal: str
    entity: str
    id: int

    def to_item(self) -> dict[str, Any]:
        """Return the key as DynamoDB spells it."""
        return {"pk": {"S": f"{self.portal}/{self.entity}"}, "id": {"N": str(self.id)}}

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "Key":
        """Return the key in a row as DynamoDB spells it."""
        portal, entity = item["pk"]["S"].split("/", 1)
        return cls(portal, entity, int(item["id"]["N"]))


class Base(NamedTuple):
    """What a reading starts from; seq 0 where there is no row.

    `open`: the item was put quietly, and no ADD event has announced it.
    """

    seq: int = 0
    born: str = ""
    kind: str = TOMBSTONE
    open: bool = False

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "Base":
        """Return this of a row as DynamoDB spells it."""
        return cls(int(item["seq"]["N"]), item["born"]["S"], item["kind"]["S"], _is_open(item))


class RowSummary(NamedTuple):
    """As much of a row as a sweep needs; `updated` is the portal's time of the last change."""

    kind: str
    updated: str
    read_at: float

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "RowSummary":
        """Return this of a row as DynamoDB spells it."""
        return cls(item["kind"]["S"], item["updated"]["S"], float(item["read_at"]["N"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reading saw. `text` is the content as it is stored, empty unless kind is ITEM.

    `names` is the digest of the names of the fields that the portal showed, empty ones included.
    `added`: an ADD event is among the reasons of the reading.
    """

    key: Key
    kind: str
    text: str
    updated: str
    read_at: float
    via: str
    quiet: bool
    names: str = ""
    added: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the mirror, whole. `quiet` marks the first sight of an item: it has no before.

    `added_now`: this version is to be announced as added.
    """

    key: Key
    seq: int
    born: str
    format: int
    kind: str
    text: str
    updated: str
    read_at: float
    via: str
    quiet: bool
    names: str = ""
    open: bool = False
    added_now: bool = False

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "Row":
        """Return the row that DynamoDB or its stream spells so."""
        return cls(
            key=Key.of(item),
            seq=int(item["seq"]["N"]),
            born=item["born"]["S"],
            format=int(item["format"]["N"]),
            kind=item["kind"]["S"],
            text=item["content"]["S"] if "content" in item else "",
            updated=item["updated"]["S"] if "updated" in item else "",
            read_at=float(item["read_at"]["N"]),
            via=item["via"]["S"],
            quiet=item["quiet"]["S"] == "yes",
            names=item["names"]["S"] if "names" in item else "",
            open=_is_open(item),
            added_now=item.get("added") == {"S": NOW},
        )

    @property
    def base(self) -> Base:
        """Return what a reading on top of this row starts from."""
        return Base(self.seq, self.born, self.kind, self.open)

    @property
    def form(self) -> Form | None:
        """Return the content; None for a tombstone and where nothing is known."""
        if self.format > FORMAT:
            raise NewerFormatError(f"{self.key} has format {self.format}, this code knows {FORMAT}")
        if not self.text or self.kind == TOMBSTONE:
            return None
        form: Form = json.loads(self.text)
        return form


def _is_open(item: Mapping[str, Any]) -> bool:
    quiet = int(item["seq"]["N"]) == 1 and item["quiet"]["S"] == "yes"
    return (quiet and item["kind"]["S"] != TOMBSTONE) or item.get("added") == {"S": OPEN}


def to_item(look: Reading, base: Base, born: str) -> dict[str, Any]:
    """Return the row that follows from a reading, as DynamoDB spells it."""
    item = look.key.to_item() | {
        "seq": {"N": str(base.seq + 1)},
        "born": {"S": base.born or born},
        "format": {"N": str(FORMAT)},
        "kind": {"S": look.kind},
        "updated": {"S": look.updated},
        "read_at": {"N": f"{look.read_at:.3f}"},
        "via": {"S": look.via},
        # A re-read after a conflict has a before, so it is never marked: its difference counts.
        "quiet": {"S": "yes" if look.quiet and not base.seq else "no"},
    }
    if base.open and look.kind == ITEM:
        item["added"] = {"S": NOW if look.added else OPEN}
    if look.text:
        item["content"] = {"S": look.text}
    if look.names:
        item["names"] = {"S": look.names}
    return item
