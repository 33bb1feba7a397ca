"""A row of the mirror: the last known state of an item. A deleted item has a row too: a tombstone.

pk `<portal>/<entity>`, id (number), seq, born, format, kind, content, updated, read_at, via, quiet,
names (a digest of the names of all fields that the portal showed; older rows have none), added,
alone (its portal is the stack's only one, so its Changes need no group; announce alone reads it),
zone (the offset of the portal's clock, in seconds; relay.tracking.clock_change)
Of the parts that other methods return: parts (the names of those that were read), extra (their
fields, JSON), row_count, step_log (which steps were told), steps (those that this version tells).
Rows of older code have none of these. A part that one of two versions lacks is no difference.

An item that is added while the mirror fills may be read before its ADD event: its first row is
quiet, and `open`. The row stays open (`added` is OPEN) until a reading for the ADD event puts a
version with NOW; announce publishes that version as added, whatever the row before it contains.
  baseline, ADD           seq 1 quiet, seq 2 NOW: added
  ADD, baseline           seq 1 is not quiet: added; never open
  baseline, UPDATE, ADD   seq 2 is OPEN and announced as updated if it differs, seq 3 NOW: added
  both read at base 0     the ADD's put meets a conflict with an open row and reads again, even
                          if the content is equal; a second conflict returns its hint
  ADD twice               the first put closes the row: put is conditional on seq, so one wins
  ADD repeated            the row is no longer open: equal content, no Change
  unreadable, deleted     an unreadable mark leaves a row open; a tombstone closes it, for an item
                          after a tombstone is announced as added in any case
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

from relay.aws_types import Item, Value
from relay.errors import NewerFormatError
from relay.tracking import steps as stage_steps
from relay.tracking.projection import FORMAT, Form
from relay.tracking.steps import Step, StepLog

ITEM, TOMBSTONE, UNREADABLE = "item", "tombstone", "unreadable"
OPEN, NOW = "open", "now"
MOST_ID = 2**63 - 1  # a portal counts in PHP's integers
# DynamoDB's limit is 400 KB; the other attributes need less than 1 KB (DECISIONS.md).
CONTENT_BYTES = 380_000


class Key(NamedTuple):
    """The key of an item: its portal, its kind and its id."""

    portal: str
    entity: str
    id: int

    def to_item(self) -> dict[str, Value]:
        """Return the key in DynamoDB's spelling."""
        return {"pk": {"S": f"{self.portal}/{self.entity}"}, "id": {"N": str(self.id)}}

    @classmethod
    def of(cls, row: Item) -> "Key":
        """Return the key of a stored row."""
        portal, entity = row["pk"]["S"].split("/", 1)
        return cls(portal, entity, int(row["id"]["N"]))


class Base(NamedTuple):
    """The row that a reading starts from; seq 0 where there is none."""

    seq: int = 0
    born: str = ""
    kind: str = TOMBSTONE
    open: bool = False  # put quietly, and no ADD event has announced it
    step_log: StepLog | None = None
    row_count: int | None = None  # of its product rows; None where they were not read

    @classmethod
    def of(cls, row: Item) -> "Base":
        """Return the base in a stored row."""
        seq, born, kind = int(row["seq"]["N"]), row["born"]["S"], row["kind"]["S"]
        return cls(seq, born, kind, _is_open(row), _step_log(row), _number(row, "row_count"))


class RowSummary(NamedTuple):
    """The part of a row that a sweep compares; `read_at` is seconds since 1970 by our clock."""

    kind: str
    updated: str
    read_at: float
    step_log: StepLog | None = None
    row_count: int | None = None

    @classmethod
    def of(cls, row: Item) -> "RowSummary":
        """Return the summary of a stored row."""
        kind, updated, read_at = row["kind"]["S"], row["updated"]["S"], float(row["read_at"]["N"])
        return cls(kind, updated, read_at, _step_log(row), _number(row, "row_count"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A whole row of the mirror."""

    key: Key
    seq: int
    born: str
    format: int
    kind: str
    text: str
    updated: str
    read_at: float
    via: str
    first_sight: bool  # of an item that is not announced: there is no state before it
    names: str = ""
    zone: int | None = None
    open: bool = False
    added_now: bool = False  # this version is to be announced as added
    parts: frozenset[str] = frozenset()
    extra: str = ""
    row_count: int | None = None
    steps: tuple[Step, ...] = ()
    step_log: StepLog | None = None

    @classmethod
    def of(cls, row: Item) -> "Row":
        """Return a stored row, or an image of one in the table's stream."""
        return cls(
            key=Key.of(row),
            seq=int(row["seq"]["N"]),
            born=row["born"]["S"],
            format=int(row["format"]["N"]),
            kind=row["kind"]["S"],
            text=_text(row, "content"),
            updated=_text(row, "updated"),
            read_at=float(row["read_at"]["N"]),
            via=row["via"]["S"],
            first_sight=_text(row, "quiet") == "yes",
            names=_text(row, "names"),
            zone=_number(row, "zone"),
            open=_is_open(row),
            added_now=_text(row, "added") == NOW,
            parts=frozenset(_text(row, "parts").split()),
            extra=_text(row, "extra"),
            row_count=_number(row, "row_count"),
            steps=stage_steps.parse(_text(row, "steps")),
            step_log=_step_log(row),
        )

    @property
    def base(self) -> Base:
        """Return the base of a reading on top of this row."""
        log, count = self.step_log, self.row_count
        return Base(self.seq, self.born, self.kind, self.open, log, count)

    @property
    def form(self) -> Form | None:
        """Return the content, None without one or of a tombstone; raises NewerFormatError."""
        if self.format > FORMAT:
            raise NewerFormatError(f"{self.key} has format {self.format}, this code knows {FORMAT}")
        if not self.text or self.kind == TOMBSTONE:
            return None
        form: Form = json.loads(self.text)
        if self.extra:
            form |= json.loads(self.extra)
        return form


def _is_open(row: Item) -> bool:
    quiet = int(row["seq"]["N"]) == 1 and _text(row, "quiet") == "yes"
    return (quiet and row["kind"]["S"] != TOMBSTONE) or _text(row, "added") == OPEN


def _step_log(row: Item) -> StepLog | None:
    return StepLog.parse(row["step_log"]["S"]) if "step_log" in row else None


def _number(row: Item, name: str) -> int | None:
    """Return a number that a row may have."""
    return int(row[name]["N"]) if name in row else None


def _text(row: Item, name: str) -> str:
    """Return a text that a row may have; empty where it has none."""
    return row[name]["S"] if name in row else ""
