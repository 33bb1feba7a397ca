"""What a reaction wrote comes back as a change: how an echo is told from what others did.

The change of an item is an echo (`origin: relay`) if each of its fields was noted in the ledger
with that value, by the user who saved last, or follows from one that was; a new item is one if it
bears a mark, or the ledger says that it was to be made.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from relay.change import Change
from relay.ledger import (
    CLOCK_SECONDS,
    HOUR,
    NOTED_SECONDS,
    canonical,
    made_keys,
    plain,
    row_keys,
)
from relay.once.lost import ORIGINATOR, PREFIX

Load = Callable[[Iterable[str]], Mapping[str, Mapping[str, Any]]]

# Written field -> fields that the portal sets with it (rest-protocol 9, 10, 15); all without `_`.
FOLLOWS = {
    "stageid": {
        *("movedtime", "movedby", "stagesemanticid", "closed", "closedate", "previousstageid"),
        *("isreturncustomer", "isnew", "probability", "dateclosed", "isconvert"),
        *("iswork", "iswon", "islose", "orderstage"),
    },
    "categoryid": {"stageid", "movedtime", "movedby", "stagesemanticid", "previousstageid"},
    "opportunity": {"ismanualopportunity", "taxvalue", "opportunityaccount"},
    "ismanualopportunity": {"opportunity", "taxvalue"},
    "currencyid": {"accountcurrencyid", "opportunityaccount", "taxvalueaccount"},
    "companyid": {"companyids", "isreturncustomer"},
    "companyids": {"companyid"},
    "contactid": {"contactids"},
    "contactids": {"contactid"},
    "assignedbyid": {"observers"},
    "name": {"fullname", "title"},
    "lastname": {"fullname", "title"},
    "fm": {  # the marks, and the first of each kind and use
        *("hasphone", "hasemail", "hasimol", "phone", "phonemobile", "phonework", "phonemailing"),
        *("email", "emailhome", "emailwork", "emailmailing", "skype", "icq", "imol"),
    },
    "status": {
        *("realstatus", "statuschangeddate", "statuschangedby", "closeddate", "closedby"),
        "datestart",
    },
    "responsibleid": {"accomplices", "auditors"},
}


def notes_of(rows: Iterable[Mapping[str, Any]], read_at: float) -> list[dict[str, Any]]:
    """Return the notes of an item's rows that a reading of that time may have seen."""
    texts = (its["S"] for row in rows for name, its in row.items() if name.startswith("note "))
    notes = [json.loads(text) for text in texts]
    return [note for note in notes if -CLOCK_SECONDS <= read_at - int(note["at"]) <= NOTED_SECONDS]


def mark(
    changes: Sequence[Change],
    load: Load,
    writer_of: Callable[[str], int | None] = lambda _portal: None,
) -> list[Change]:
    """Return changes with `origin: relay` on those that reactions wrote.

    `load` reads rows, `writer_of` says a portal's writer (see `is_echo`).
    """
    read_at = [datetime.fromisoformat(change.time).timestamp() for change in changes]
    keys = [_keys(change, at) for change, at in zip(changes, read_at, strict=True)]
    rows = load({key for its in keys for key in its})
    marked = []
    for change, at, its in zip(changes, read_at, keys, strict=True):
        found = [rows[key] for key in its if key in rows]
        notes = found if change.action == "added" else notes_of(found, at)
        ours = is_echo(notes, change, writer_of(change.portal))
        marked.append(replace(change, origin="relay") if ours else change)
    return marked


def _keys(change: Change, at: float) -> list[str]:
    if change.action == "added":
        return made_keys(change.portal, change.entity, change.after, at)
    return row_keys(change.portal, change.entity, change.id, at)


def is_echo(notes: Sequence[Mapping[str, Any]], change: Change, writer: int | None = None) -> bool:
    """Say whether a change is only what reactions wrote.

    `notes` are what the ledger says of the item; of a new one, that it was to be made.
    `writer` is the user of the writing webhook, where it is not the reading one's: who made an
    item, and who changed one last of which no note is left, is told by it.
    """
    by = str(writer) if writer is not None else None
    after = change.after
    if change.action == "deleted":
        return any(note["deleted"] for note in notes)
    if change.action == "added":
        stamped = after.get("originatorId") == ORIGINATOR
        stamped |= str(after.get("xmlId", "")).startswith(PREFIX)
        return stamped or bool(notes) or str(after.get("createdBy")) == by
    last = after.get("changedBy" if change.entity == "task" else "updatedBy")
    noted = [note for note in notes if note["fields"]]
    if noted:
        # A person may set what a reaction has set within the same minutes.
        mine = [note["fields"] for note in noted if last is None or str(note["user"]) == str(last)]
        return _follows(mine, change)
    return str(last) == by


def _follows(fields: list[Mapping[str, Any]], change: Change) -> bool:
    """Say whether every changed field was noted with its value, or follows from one that was."""
    noted: set[str] = set()
    for name in change.changed:
        key = plain(name)
        mine = [its[key] for its in fields if key in its]
        if key == "fm":
            fits = bool(mine) and _fits_rows(mine, change)
        else:
            value = canonical(change.after.get(name))
            fits = any(_fits(one, value) for one in mine)
        if fits:
            noted.add(key)
    follow = set().union(*(FOLLOWS.get(key, set()) for key in noted))
    return bool(noted) and all(plain(name) in noted | follow for name in change.changed)


def _fits_rows(notes: list[list[list[str]]], change: Change) -> bool:
    """Say whether each phone, e-mail or the like that is another now was noted so."""
    before, after = _by_number(change.before.get("fm")), _by_number(change.after.get("fm"))
    noted = {(number, text) for note in notes for number, text in note}
    numbers, texts = {number for number, _ in noted}, {text for _, text in noted}
    for number in before.keys() | after.keys():
        row = after.get(number)
        text = str(row.get("value", "")) if row else ""
        if row == before.get(number):
            continue
        if not ((number, text) in noted if number in numbers else row and text in texts):
            return False
    return True


def _by_number(rows: Any) -> dict[str, Mapping[str, Any]]:
    return {str(row["id"]): row for row in rows} if isinstance(rows, list) else {}


def _fits(noted: Any, read: Any) -> bool:
    if noted == read:
        return True
    if not isinstance(noted, str) or not isinstance(read, str):
        return False
    # A day that was written without a zone comes back as a time in the portal's.
    short, long = sorted((noted, read), key=len)
    return len(short) == len("2026-01-01") and short.count("-") == 2 and _near(short, long)  # noqa: PLR2004


def _near(day: str, moment: str) -> bool:
    try:
        apart = datetime.fromisoformat(moment) - datetime.fromisoformat(day).replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return False
    return abs(apart.total_seconds()) <= 2 * 24 * HOUR
