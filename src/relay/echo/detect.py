"""What a reaction wrote comes back as a change: how an echo is told from what others did.

An echo (`origin: relay`) is
- an update whose every changed field was noted in the ledger with the value that was read, by the
  user who saved last, or follows from one that was (relay.echo.derived_fields);
- a new item whose id, or whose mark with its kind and its user, was noted;
- a deletion that was noted.
In doubt a change is a person's: a loop is ended by the budget, a lost change by nothing.

A note counts for one reading only: the first that begins after its write. So notes from before the
reading that the mirror had are left out - by the time that a call may take, since a note precedes
it. Within that minute a user who is the writing webhook's, too, may undo a write and do it again.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from relay.change import Change
from relay.echo.derived_fields import FOLLOWS, Cause
from relay.echo.ledger import CLOCK_SECONDS, NOTED_SECONDS, gone_key, made_key, row_keys
from relay.echo.same_value import DAYS, is_same, moment, plain
from relay.echo.stamps import PREFIX

PORTAL_CLOCK_SECONDS = 300  # how far the portal's clock may be from ours
CALL_SECONDS = 60  # from a note to the end of its call

Load = Callable[[Iterable[str]], Mapping[str, Mapping[str, Any]]]


def mark(
    changes: Sequence[Change], load: Load, since: Mapping[str, float] | None = None
) -> list[Change]:
    """Return changes with `origin: relay` on those that reactions wrote.

    `load` reads rows; `since` says by change id when the mirror's former reading was.
    """
    keys = [_keys(change) for change in changes]
    rows = load({key for some in keys for key in some})
    marked = []
    for change, some in zip(changes, keys, strict=True):
        found = {key: rows[key] for key in some if key in rows}
        ours = is_echo(found, change, (since or {}).get(change.change_id, 0.0))
        marked.append(replace(change, origin="relay") if ours else change)
    return marked


def _keys(change: Change) -> list[str]:
    portal, entity = change.portal, change.entity
    if change.action == "deleted":
        return [gone_key(portal, entity, change.id)]
    if change.action == "added":
        marks = (str(change.after.get(name) or "") for name in ("originId", "xmlId"))
        keys = [made_key(portal, its) for its in marks if its.startswith(PREFIX)]
        return [made_key(portal, f"{entity}/{change.id}"), *keys]
    saved_at, read_at = _saved_at(change), _read_at(change)
    hours = (row_keys(portal, entity, change.id, at) for at in (saved_at, read_at))
    return list(dict.fromkeys(key for some in hours for key in some))


def is_echo(
    rows: Mapping[str, Mapping[str, Any]], change: Change, former_reading: float = 0.0
) -> bool:
    """Say whether a change is only what reactions wrote; `rows` are the ledger's, by their keys."""
    if change.action == "deleted":
        return bool(rows)
    if change.action == "added":
        return any("entity" not in row or _is_maker(row, change) for row in rows.values())
    last = change.after.get("changedBy" if change.entity == "task" else "updatedBy")
    # A person may set what a reaction has set within the same minutes.
    since = former_reading - CALL_SECONDS
    notes = [note for note in notes_of(rows.values(), change) if int(note["at"]) >= since]
    return _explain([note for note in notes if str(note["user"]) == str(last)], change)


def _is_maker(row: Mapping[str, Any], change: Change) -> bool:
    """Say whether a mark is this item's own: what a person converts has a copy of it."""
    user = str(change.after.get("createdBy"))
    return bool(row["entity"]["S"] == change.entity and row["user"]["S"] == user)


def notes_of(rows: Iterable[Mapping[str, Any]], change: Change) -> list[dict[str, Any]]:
    """Return the notes that a change may come from, the newest first."""
    texts = (its["S"] for row in rows for name, its in row.items() if name.startswith("note "))
    notes = [json.loads(text) for text in texts]
    begin, end = _saved_at(change) - NOTED_SECONDS, _read_at(change) + CLOCK_SECONDS
    notes = [note for note in notes if begin <= int(note["at"]) <= end]
    return sorted(notes, key=lambda note: -int(note["at"]))


def _read_at(change: Change) -> float:
    return datetime.fromisoformat(change.time).timestamp()


def _saved_at(change: Change) -> float:
    """Return when the item was last saved: a reading may come hours later.

    A portal's clock that is far behind makes the time too early; notes are then found all the same.
    """
    saved = moment(change.after.get("changedDate" if change.entity == "task" else "updatedTime"))
    read_at = _read_at(change)
    return min(read_at, saved.timestamp() + PORTAL_CLOCK_SECONDS) if saved else read_at


def _explain(notes: list[dict[str, Any]], change: Change) -> bool:
    """Say whether notes explain every changed field, with the value that it has."""
    midnights = _midnights(change)
    causes: dict[str, Cause] = {}
    for name in change.changed:
        key = plain(name)
        if name in change.truncated:
            return False  # nothing is known of its value
        if key == "fm":
            found = [cause for cause in _phones(notes) if _fits_rows(cause.value, change)]
        else:
            value = change.after.get(name)
            found = [
                cause
                for cause in _latest(notes, key, _read_at(change))
                if is_same(key, cause.value, value, midnights)
            ]
        if found:
            causes[key] = found[0]
    return bool(causes) and all(
        plain(name) in causes or _follows(name, causes, change) for name in change.changed
    )


def _latest(notes: list[dict[str, Any]], key: str, read_at: float) -> list[Cause]:
    """Return what a field was last set to; more than one thing where clocks can't tell."""
    found: list[Cause] = []
    for note in notes:
        if key not in note["fields"]:
            continue
        at = int(note["at"])
        if found and at != found[-1].at and found[-1].at <= read_at - CLOCK_SECONDS:
            break  # overwritten since
        found.append(Cause(note["fields"][key], note["user"], at))
    return found


def _phones(notes: list[dict[str, Any]]) -> list[Cause]:
    """Return the rows of all notes as one: of those with a number the newest counts."""
    rows: list[Any] = []
    numbers: set[str] = set()
    for note in notes:
        mine = [row for row in note["fields"].get("fm", ()) if row[0] not in numbers]
        numbers |= {row[0] for row in mine if row[0]}
        rows += mine
    return [Cause(rows, notes[0]["user"], int(notes[0]["at"]))] if rows else []


def _follows(name: str, causes: Mapping[str, Cause], change: Change) -> bool:
    key = plain(name)
    rules = ((FOLLOWS.get(written, {}).get(key), cause) for written, cause in causes.items())
    return any(rule is not None and rule(name, change, cause) for rule, cause in rules)


def _midnights(change: Change) -> set[str]:
    """Return at which times of day, in UTC, the portal's days begin."""
    days = (change.after[name] for name in change.after if plain(name) in DAYS)
    return {str(day)[11:] for day in days if moment(day)}


def _fits_rows(noted: Sequence[Sequence[str]], change: Change) -> bool:
    """Say whether each phone, e-mail or the like that is another now was noted so."""
    before, after = _by_number(change.before.get("fm")), _by_number(change.after.get("fm"))
    new = [row for row in noted if not row[0]]
    for number in before.keys() | after.keys():
        old, row = before.get(number), after.get(number)
        if row == old:
            continue
        mine = [one for one in noted if one[0] == number] if old else new
        found = next((one for one in mine if _is_row(one, old, row)), None)
        if found is None:
            return False
        if not old:
            new.remove(found)  # one row for each that was written
    return True


def _is_row(
    noted: Sequence[str], old: Mapping[str, Any] | None, row: Mapping[str, Any] | None
) -> bool:
    """Say whether a row is as it was noted; what was not written is as it was before."""
    _, text, *more = [*noted, "", ""][:4]
    if row is None:
        return text == ""
    if str(row.get("value", "")) != text:
        return False
    for name, written in zip(("typeId", "valueType"), more, strict=True):
        if (written or old) and row.get(name) != (written or (old or {}).get(name)):
            return False
    return True


def _by_number(rows: Any) -> dict[str, Mapping[str, Any]]:
    return {str(row["id"]): row for row in rows} if isinstance(rows, list) else {}
