"""A row of the mirror: the last known state of an item. A deleted item has a row too: a tombstone.

pk `<portal>/<entity>`, id (number), seq, born, format, kind, content, updated, read_at, via, quiet,
names (a digest of the names of all fields that the portal showed), added, alone (its portal is the
stack's only one, so its Changes need no group; announce alone reads it), zone (the offset of the
portal's clock, in seconds; relay.tracking.clock_change), links (contact and company)
Of the parts that other methods return: parts (the names of those that were read), extra (their
fields, JSON), row_count, step_log (which steps were announced), steps (those of this version).
A part that one of two versions lacks is no difference.

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
import secrets
import time
from dataclasses import dataclass
from typing import NamedTuple

from relay.aws_types import Item, Value
from relay.errors import NewerFormatError
from relay.portal.api import Result
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


@dataclass(frozen=True, slots=True)
class RowHead:
    """A row of the mirror without its content; seq 0 stands for no row."""

    seq: int = 0
    born: str = ""
    kind: str = TOMBSTONE
    open: bool = False  # put quietly, and no ADD event has announced it
    updated: str = ""
    read_at: float = 0  # seconds since 1970 by our clock
    step_log: StepLog | None = None
    row_count: int | None = None  # of its product rows; None where they were not read
    links: str = ""  # its contact and company, for the daily list; empty: not known

    @classmethod
    def of(cls, row: Item) -> "RowHead":
        """Return the head of a stored row."""
        return cls(**_head(row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(RowHead):
    """A whole row of the mirror."""

    key: Key
    format: int = FORMAT
    text: str = ""  # the content, empty without one
    via: str
    first_sight: bool = False  # of an item that is not announced: there is no state before it
    names: str = ""  # digest of the names of the fields that the portal showed, empty ones included
    zone: int | None = None  # the offset of the portal's clock, in seconds; None: not known
    added_now: bool = False  # this version is to be announced as added
    parts: frozenset[str] = frozenset()  # that were read
    extra: str = ""  # the fields of parts
    steps: tuple[Step, ...] = ()  # that no version before this one announced

    @classmethod
    def of(cls, row: Item) -> "Row":
        """Return a stored row, or an image of one in the table's stream."""
        return cls(
            **_head(row),
            key=Key.of(row),
            format=int(row["format"]["N"]),
            text=_text(row, "content"),
            via=row["via"]["S"],
            first_sight=_text(row, "quiet") == "yes",
            names=_text(row, "names"),
            zone=_number(row, "zone"),
            added_now=_text(row, "added") == NOW,
            parts=frozenset(_text(row, "parts").split()),
            extra=_text(row, "extra"),
            steps=stage_steps.parse(_text(row, "steps")),
        )

    def to_item(self) -> dict[str, Value]:
        """Return the row as it is stored; a first sight announces no steps."""
        added = NOW if self.added_now else OPEN * self.open
        texts = {
            "born": self.born,
            "kind": self.kind,
            "updated": self.updated,
            "via": self.via,
            "links": self.links,
            "quiet": "yes" if self.first_sight else "no",
            "added": added,
            "content": self.text,
            "names": self.names,
            "parts": " ".join(sorted(self.parts)),
            "extra": self.extra,
            "step_log": self.step_log.to_text() if self.step_log is not None else "",
            "steps": "" if self.first_sight else stage_steps.to_text(self.steps),
        }
        numbers = {
            "seq": self.seq,
            "format": self.format,
            "read_at": f"{self.read_at:.3f}",
            "row_count": self.row_count,
            "zone": self.zone,
        }
        return (
            self.key.to_item()
            | {name: Value(S=text) for name, text in texts.items() if text}
            | {name: Value(N=str(one)) for name, one in numbers.items() if one is not None}
        )

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


def new_birth() -> str:
    """Return `born` of a new row."""
    # The random part keeps apart two mirrors that are made in one millisecond.
    return f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(2)}"


def _head(row: Item) -> dict[str, Result]:
    return {
        "seq": int(row["seq"]["N"]),
        "born": row["born"]["S"],
        "kind": row["kind"]["S"],
        "open": _text(row, "added") == OPEN,
        "updated": _text(row, "updated"),
        "read_at": float(row["read_at"]["N"]),
        "step_log": StepLog.parse(row["step_log"]["S"]) if "step_log" in row else None,
        "row_count": _number(row, "row_count"),
        "links": _text(row, "links"),
    }


def _number(row: Item, name: str) -> int | None:
    """Return a number that a row may have."""
    return int(row[name]["N"]) if name in row else None


def _text(row: Item, name: str) -> str:
    """Return a text that a row may have; empty where it has none."""
    return row[name]["S"] if name in row else ""
