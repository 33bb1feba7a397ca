"""How the echo of a reaction's write is told from the changes of others.

An echo (`origin: relay`) is
- an update whose every changed field was noted in the ledger with the value that was read, by the
  user who saved last, or follows from such a field (relay.echo.derived_fields);
- a new item whose id was noted, or whose stamp was noted with its kind and its author;
- a deletion that was noted.
In doubt a change is a person's: the budget ends a loop, but nothing brings back a lost change.

A note counts for one reading only, the first that begins after its write. So notes from before the
mirror's former reading are left out, less CALL_SECONDS, since a note precedes its call. Within that
minute the user of the writing webhook may undo a write and repeat it without being noticed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from relay.aws_types import Item
from relay.change import Change
from relay.echo.derived_fields import Cause, follows
from relay.echo.effects import PREFIX
from relay.echo.ledger import CLOCK_SECONDS, NOTED_SECONDS, SENT, keys_around
from relay.echo.multi_fields import explains_multi_fields
from relay.echo.note_text import MULTI_FIELD, ROWS, NoteText
from relay.echo.row_writes import explains_rows
from relay.echo.same_value import DAYS, is_same, moment
from relay.field_names import plain
from relay.state_table import created_ids_key, gone_key, stamp_key

PORTAL_CLOCK_SECONDS = 300  # how far the portal's clock may be from ours
CALL_SECONDS = 60  # from a note to the end of its call

_EXPLAIN_ROWS = {MULTI_FIELD: explains_multi_fields, ROWS: explains_rows}

type Rows = Mapping[str, Item]  # of the State table, by their keys


def mark_echoes(
    changes: Sequence[Change],
    load: Callable[[Iterable[str]], Rows],
    former_readings: Mapping[str, float] | None = None,
) -> list[Change]:
    """Return the changes in their order, with origin and name of the reactions that wrote them.

    `load` reads rows by their keys; `former_readings` has by change id the time (epoch s) at which
    the mirror read the item before.
    """
    keys = [_keys(change) for change in changes]
    rows = load({key for some in keys for key in some})
    marked = []
    for change, some in zip(changes, keys, strict=True):
        found = {key: rows[key] for key in some if key in rows}
        ours = is_echo(found, change, (former_readings or {}).get(change.change_id, 0.0))
        echo = replace(change, origin="relay", reaction=_writers(found, change)) if ours else change
        marked.append(echo)
    return marked


def _writers(rows: Rows, change: Change) -> str:
    """Return the reactions that wrote an item in these rows' time; empty where none is noted."""
    names = {row["by"]["S"] for row in rows.values() if "by" in row}
    names |= {row[change.id]["S"] for row in rows.values() if change.id in row}
    names |= {one.removeprefix(SENT) for row in rows.values() for one in row if one[:5] == SENT}
    return " or ".join(sorted(names))


def _keys(change: Change) -> list[str]:
    """Return the keys of the rows that can tell of a change."""
    portal, item = change.portal, change.subject
    if change.action == "deleted":
        return [gone_key(portal, item)]
    if change.action == "added":
        texts = (str(change.after.get(name) or "") for name in ("originId", "xmlId"))
        stamps = [stamp_key(portal, text) for text in texts if text.startswith(PREFIX)]
        return [created_ids_key(portal, change.entity, int(change.id)), *stamps]
    times = (_saved_at(change), _read_at(change))
    return list(dict.fromkeys(key for at in times for key in keys_around(portal, item, at)))


def is_echo(rows: Rows, change: Change, former_reading: float = 0.0) -> bool:
    """Return whether a change is only what reactions wrote; `rows` are those of the ledger."""
    if change.action == "deleted":
        return bool(rows)
    if change.action == "added":
        return any(_has_created(row, change) for row in rows.values())
    saved_by = change.after.get("changedBy" if change.entity == "task" else "updatedBy")
    # A person may set what a reaction has set within the same minutes.
    since = former_reading - CALL_SECONDS
    notes = [note for note in notes_of(rows.values(), change) if note.at >= since]
    return _explain([note for note in notes if str(note.user) == str(saved_by)], change)


def _has_created(row: Item, change: Change) -> bool:
    """Return whether a row says that a reaction created this item."""
    if "entity" not in row:  # one of neighbouring ids
        return change.id in row
    # The stamp is this item's own: what a person converts has a copy of it.
    user = str(change.after.get("createdBy"))
    return row["entity"]["S"] == change.entity and row["user"]["S"] == user


def notes_of(rows: Iterable[Item], change: Change) -> list[NoteText]:
    """Return the notes that a change may come from, the newest first."""
    texts = (value["S"] for row in rows for name, value in row.items() if name.startswith("note "))
    begin, end = _saved_at(change) - NOTED_SECONDS, _read_at(change) + CLOCK_SECONDS
    notes = [note for note in map(NoteText.parse, texts) if begin <= note.at <= end]
    return sorted(notes, key=lambda note: -note.at)


def _read_at(change: Change) -> float:
    return datetime.fromisoformat(change.time).timestamp()


def _saved_at(change: Change) -> float:
    """Return when the item was last saved (epoch s): it may be read hours later."""
    # A portal's clock that is far behind makes the time too early; notes are then found all the
    # same.
    saved = moment(change.after.get("changedDate" if change.entity == "task" else "updatedTime"))
    read_at = _read_at(change)
    return min(read_at, saved.timestamp() + PORTAL_CLOCK_SECONDS) if saved else read_at


def _explain(notes: list[NoteText], change: Change) -> bool:
    """Return whether notes explain every changed field, with the value that it has."""
    midnights = _midnights(change)
    causes: dict[str, Cause] = {}
    for name in change.changed:
        field = plain(name)
        if name in change.truncated:
            return False  # the value is not in the change
        if explains := _EXPLAIN_ROWS.get(field):
            fits = explains(notes, change.before.get(name), change.after.get(name))
            found = [Cause(None, notes[0].user, notes[0].at)] if fits else []
        else:
            value = change.after.get(name)
            found = [
                cause
                for cause in _latest(notes, field, _read_at(change))
                if is_same(field, cause.value, value, midnights)
            ]
        if found:
            causes[field] = found[0]
    if not causes or not _moved_only_by(notes, change):
        return False
    return all(
        plain(name) in causes
        or any(follows(name, change, written, cause) for written, cause in causes.items())
        for name in change.changed
    )


def _moved_only_by(notes: list[NoteText], change: Change) -> bool:
    """Return whether each move between stages was noted: a person's may lie between two."""
    noted = [note.fields.get("stageid") for note in notes]
    return all(step["stageId"] in noted for step in change.steps)


def _latest(notes: list[NoteText], field: str, read_at: float) -> list[Cause]:
    """Return the last write of a field; more than one where clocks can't tell which was last."""
    found: list[Cause] = []
    for note in notes:
        if field not in note.fields:
            continue
        if found and note.at != found[-1].at and found[-1].at <= read_at - CLOCK_SECONDS:
            break  # overwritten since
        found.append(Cause(note.fields[field], note.user, note.at))
    return found


def _midnights(change: Change) -> set[str]:
    """Return the times of day, in UTC, at which the portal's days begin."""
    days = (change.after[name] for name in change.after if plain(name) in DAYS)
    return {str(day)[11:] for day in days if moment(day)}
