"""Changes that are about to be announced -> the history. A repeat puts the same rows once more."""

import json
import zlib
from collections.abc import Mapping, Sequence

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from relay import settings
from relay.aws_types import Item, StreamRecord
from relay.change import VOLATILE, VOLATILE_PREFIXES, Change
from relay.errors import ConfigurationError, RowError
from relay.history import History, PastChange
from relay.kinds import TASK
from relay.tracking.difference import difference
from relay.tracking.parts import PART_OF_FIELD
from relay.tracking.projection import DIGEST, FORMAT, Form, upgrade
from relay.tracking.publish import Entry
from relay.tracking.row import Row

NO = (None, 0, "0", "N")  # a field may come to all items, or leave them, with such a value

logger = Logger(service="announce", location=None)
metrics = Metrics(service="announce")


def remember(entries: Sequence[Entry]) -> None:
    """Put a row a Change into the history; an entry whose row must wait gets the error.

    A row that the table never takes is logged and counted: its Change is announced all the same.
    """
    try:
        table, days = settings.read("HISTORY_TABLE", "HISTORY_DAYS")
    except ConfigurationError as trouble:
        for entry in entries:
            entry.error = trouble
        return
    kept: list[tuple[Entry, Item]] = []
    for entry in entries:
        if entry.change and not entry.error:
            try:
                kept.append((entry, past_change(entry.change, entry.record).to_item(int(days))))
            except Exception as fault:  # noqa: BLE001  one bad row must not hold up the others
                _give_up(entry, fault)
    errors = History(settings.client("dynamodb"), table).keep([row for _, row in kept])
    for (entry, _), error in zip(kept, errors, strict=True):
        if isinstance(error, RowError):
            _give_up(entry, error)
        elif error:
            entry.error = error


def _give_up(entry: Entry, error: Exception) -> None:
    logger.error("not kept", item=entry.item, reason=repr(error))
    metrics.add_metric("unkept", MetricUnit.Count, 1)


def past_change(change: Change, record: StreamRecord) -> PastChange:
    """Return a Change as the history keeps it; `record` holds what its message left out."""
    image = record["dynamodb"]["NewImage"]
    before: Mapping[str, object] | None = change.before
    after: Mapping[str, object] = change.after
    if change.truncated or change.action == "added":
        old = record["dynamodb"].get("OldImage")
        before, after = _whole(Row.of(old) if old else None, Row.of(image))
    saved_by = change.after.get("changedBy" if change.entity == TASK else "updatedBy")
    return PastChange(
        change_id=change.change_id,
        at=float(image["read_at"]["N"]),
        action=change.action,
        origin=change.origin,
        via=change.via,
        before=before,
        steps=change.steps,
        saved_by=str(saved_by or ""),
        reaction=change.reaction,
        format=FORMAT,
        state=checksum(after),
    )


def _whole(old: Row | None, new: Row) -> tuple[Form | None, Form]:
    """Return what a change replaced, all of a deleted item, and the item after it.

    An item that is announced as added may have had a row before: it was read before its event.
    """
    before, after = old.form if old else None, new.form or {}
    if before is None or old is None or not after:
        return before, after
    before = upgrade(before, old.format, after, new.format)
    return {name: before.get(name) for name in difference(before, after)}, after


def checksum(form: Mapping[str, object]) -> str:
    """Return eight characters that stand for an item's fields; empty where none can be given.

    What is no difference does not count: volatile fields, and a "no" that fields come and go with.
    Nor do parts: they are filled in without a Change, and their rows' ids change with none.
    """
    kept = {
        name: value
        for name, value in form.items()
        if value not in NO
        and name not in VOLATILE
        and name not in PART_OF_FIELD
        and not name.startswith(VOLATILE_PREFIXES)
    }
    text = json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    # A value that is too large to store has two spellings, whole and as a digest.
    return "" if DIGEST in text else f"{zlib.crc32(text.encode()):08x}"
