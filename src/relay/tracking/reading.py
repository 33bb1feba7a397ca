"""The result of one reading of an item, and the row that follows from it."""

from dataclasses import dataclass

from relay.aws_types import Value
from relay.tracking import steps as stage_steps
from relay.tracking.projection import FORMAT
from relay.tracking.row import NOW, OPEN, TOMBSTONE, Key, RowHead
from relay.tracking.steps import Step, StepLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The result of one reading of an item."""

    key: Key
    kind: str
    text: str  # the content as it is stored, empty unless `kind` is ITEM
    updated: str  # the portal's time of the item's last change, empty where it gives none
    read_at: float
    via: str
    quiet: bool  # the item is not to be announced if this is its first row
    names: str = ""  # digest of the names of the fields that the portal showed, empty ones included
    zone: int | None = None  # the offset of the portal's clock, in seconds; None: not known
    added: bool = False  # an ADD event is among the reasons of the reading
    parts: frozenset[str] = frozenset()  # that were read
    extra: str = ""  # the fields of parts as they are stored
    row_count: int | None = None  # of its product rows
    steps: tuple[Step, ...] = ()  # that were not told before
    step_log: StepLog | None = None  # once these steps are told


def to_item(reading: Reading, base: RowHead, born: str) -> dict[str, Value]:
    """Return the row that follows from a reading; `born` is for an item without a row."""
    # A re-read after a conflict has a state before it: its difference counts.
    quiet = reading.quiet and not base.seq
    item = reading.key.to_item() | {
        "seq": {"N": str(base.seq + 1)},
        "born": {"S": base.born or born},
        "format": {"N": str(FORMAT)},
        "kind": {"S": reading.kind},
        "updated": {"S": reading.updated},
        "read_at": {"N": f"{reading.read_at:.3f}"},
        "via": {"S": reading.via},
        "quiet": {"S": "yes" if quiet else "no"},
    }
    if (base.open or quiet) and reading.kind != TOMBSTONE:
        item["added"] = {"S": NOW if reading.added else OPEN}
    if reading.text:
        item["content"] = {"S": reading.text}
    if reading.names:
        item["names"] = {"S": reading.names}
    if reading.zone is not None:
        item["zone"] = {"N": str(reading.zone)}
    return item | _parts(reading, quiet=quiet)


def _parts(reading: Reading, *, quiet: bool) -> dict[str, Value]:
    """Return the attributes of the parts; the first row of the first filling tells no steps."""
    item: dict[str, Value] = {}
    if reading.parts:
        item["parts"] = {"S": " ".join(sorted(reading.parts))}
    if reading.extra:
        item["extra"] = {"S": reading.extra}
    if reading.row_count is not None:
        item["row_count"] = {"N": str(reading.row_count)}
    if reading.step_log is not None:
        item["step_log"] = {"S": reading.step_log.to_text()}
    if reading.steps and not quiet:
        item["steps"] = {"S": stage_steps.to_text(reading.steps)}
    return item
