"""What a reaction wrote comes back as a change: the ledger of writes, and how an echo is told.

Before a write to an item the fields that it sets are noted, in a row for each item and hour: the
change that follows is an echo (`origin: relay`) if each of its fields was noted with that value, or
follows from one that was. The same row counts the writes of each reaction to the item: a loop
through somebody else (an automation rule that answers every edit) ends when the budget is used up.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from relay.change import Change
from relay.once.lost import ORIGINATOR, PREFIX

BUDGET = 30  # writes of one reaction to one item in an hour
NOTED_SECONDS = 900  # a change is read within seconds of its event; the queue may be behind
HOUR = 3600
KEEP_SECONDS = 25 * HOUR  # a stream that stood still for a day still finds them
CLOCK_SECONDS = 5  # how far the clocks of two copies may differ
Load = Callable[[Iterable[str]], Mapping[str, Mapping[str, Any]]]
_TYPES = {1: "lead", 2: "deal", 3: "contact", 4: "company", 7: "quote", 31: "invoice"}
_NAMES = set(_TYPES.values())
_ANY = "*"

# Written field -> fields that the portal sets with it (rest-protocol 9, 10, 15); all without `_`.
FOLLOWS = {
    "stageid": {
        *("movedtime", "movedby", "stagesemanticid", "closed", "closedate", "previousstageid"),
        *("isreturncustomer", "isnew", "probability"),
    },
    "categoryid": {"stageid", "movedtime", "movedby", "stagesemanticid", "previousstageid"},
    "opportunity": {"ismanualopportunity", "taxvalue", "opportunityaccount"},
    "ismanualopportunity": {"opportunity", "taxvalue"},
    "currencyid": {"accountcurrencyid", "opportunityaccount", "taxvalueaccount"},
    "companyid": {"companyids", "isreturncustomer"},
    "contactid": {"contactids"},
    "contactids": {"contactid"},
    "assignedbyid": {"observers"},
    "name": {"fullname", "title"},
    "lastname": {"fullname", "title"},
    "fm": {"hasphone", "hasemail", "hasimol"},
    "status": {
        *("realstatus", "statuschangeddate", "statuschangedby", "closeddate", "closedby"),
        "datestart",
    },
    "responsibleid": {"accomplices", "auditors"},
}
_MULTI_FIELDS = {"phone", "email", "web", "im", "link"}  # read as `fm`


@dataclass(frozen=True, slots=True)
class Written:
    """The item that a call writes to, and the fields that it sets there."""

    entity: str
    id: str
    fields: Mapping[str, Any]
    deleted: bool = False


def written(method: str, params: Mapping[str, Any]) -> Written | None:
    """Return what a call writes to; None where that is no item of the mirror."""
    parts = method.lower().split(".")
    given = {name.lower(): value for name, value in params.items()}
    fields: Mapping[str, Any] = given["fields"] if _is_map(given.get("fields")) else {}
    entity = ""
    number: Any = given.get("id")
    match parts:
        case ["crm", "item", "update" | "delete"]:
            type_id = str(given.get("entitytypeid", ""))
            known = _TYPES.get(int(type_id)) if type_id.isdecimal() else None
            entity = known or f"dynamic_{type_id}"
        case ["crm", name, "update" | "delete"] if name in _NAMES:
            entity = name
        case ["tasks", "task", "update" | "delete"]:
            entity, number = "task", given.get("taskid")
        case ["crm", "timeline", "comment", "add"]:
            entity, number = str(fields.get("ENTITY_TYPE", "")), fields.get("ENTITY_ID")
            fields = {}
        case _:
            return None
    return Written(entity, str(number), fields, deleted=parts[-1] == "delete")


def row_key(portal: str, entity: str, item_id: str, now: float) -> str:
    """Return the key of an item's ledger in the hour of a time."""
    return f"echo#{portal}#{entity}/{item_id}#{int(now // HOUR)}"


def row_keys(portal: str, entity: str, item_id: str, now: float) -> list[str]:
    """Return the keys of the rows in which a write of the last minutes may be noted."""
    times = (now + CLOCK_SECONDS, now, now - NOTED_SECONDS)
    keys = (row_key(portal, entity, item_id, at) for at in times)
    return list(dict.fromkeys(keys))


class Note:
    """A write on its way into the ledger; refused where the budget is used up."""

    def __init__(self, portal: str, its: Written, reaction: str, token: str, now: float) -> None:
        self._key = row_key(portal, its.entity, its.id, now)
        self._now = now
        self._notes = {f"note {token}": _noted(its, now)} if its.fields or its.deleted else {}
        self._counter = f"count {reaction}"
        self._count = 1
        self.name = f"{self._key} {reaction}"

    conditional = True

    def merge(self, other: "Note") -> None:
        """Take in another write of this reaction to this item."""
        self._notes |= other._notes  # noqa: SLF001  it is one of us
        self._count += other._count  # noqa: SLF001

    def make(self, table: str) -> dict[str, Any]:
        """Return the update as a part of a transaction."""
        names = {"#count": self._counter, "#expires": "expires"}
        values = {
            ":count": {"N": str(self._count)},
            ":most": {"N": str(BUDGET - self._count)},
            ":expires": {"N": str(int(self._now + KEEP_SECONDS))},
        }
        sets = ["#expires = :expires"]
        for at, (name, text) in enumerate(self._notes.items()):
            names[f"#n{at}"], values[f":n{at}"] = name, {"S": text}
            sets.append(f"#n{at} = :n{at}")
        return {
            "Update": {
                "TableName": table,
                "Key": {"pk": {"S": self._key}},
                "UpdateExpression": f"SET {', '.join(sets)} ADD #count :count",
                "ConditionExpression": "attribute_not_exists(#count) OR #count <= :most",
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            }
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
    keys = [
        row_keys(change.portal, change.entity, change.id, at)
        for change, at in zip(changes, read_at, strict=True)
    ]
    rows = load({key for its in keys for key in its})
    marked = []
    for change, at, its in zip(changes, read_at, keys, strict=True):
        notes = notes_of((rows[key] for key in its if key in rows), at)
        ours = is_echo(notes, change, writer_of(change.portal))
        marked.append(replace(change, origin="relay") if ours else change)
    return marked


def is_echo(notes: Iterable[Mapping[str, Any]], change: Change, writer: int | None = None) -> bool:
    """Say whether a change is only what reactions wrote.

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
        return stamped or str(after.get("createdBy")) == by
    fields = [note["fields"] for note in notes if note["fields"]]
    if fields:
        return _follows(fields, change)
    last = after.get("changedBy" if change.entity == "task" else "updatedBy")
    return str(last) == by


def _follows(fields: list[Mapping[str, Any]], change: Change) -> bool:
    """Say whether every changed field was noted with its value, or follows from one that was."""
    noted: set[str] = set()
    for name in change.changed:
        key = plain(name)
        value = canonical(change.after.get(name))
        if any(key in its and _fits(its[key], value) for its in fields):
            noted.add(key)
    follow = set().union(*(FOLLOWS.get(key, set()) for key in noted))
    return bool(noted) and all(plain(name) in noted | follow for name in change.changed)


def plain(name: str) -> str:
    """Return a field's name as every spelling has it: `STAGE_ID`, `stageId` -> `stageid`."""
    return name.replace("_", "").lower()


def canonical(value: Any) -> Any:
    """Return a value in one spelling, whether it was written or read."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return sorted(str(canonical(its)) for its in value)
    if value is None or value is False or value in ("N", "0", 0):
        return ""
    text = "Y" if value is True else str(value)
    try:
        return f"{float(text):.10g}"
    except ValueError:
        return _moment(text)


def _moment(text: str) -> str:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    if when.tzinfo is None:
        return when.date().isoformat()  # of a portal's own zone: the day is what can be compared
    return when.astimezone(UTC).isoformat()


def _noted(its: Written, now: float) -> str:
    """Return a note's text: the fields by the names, and with the values, that will be read."""
    fields = {}
    for name, value in its.fields.items():
        key = plain(name)
        if key in _MULTI_FIELDS or key == "fm":
            fields["fm"] = _ANY  # rows get their numbers from the portal
        elif key == "statusid" and its.entity == "lead":
            fields["stageid"] = canonical(value)
        else:
            fields[key] = canonical(value)
    note = {"at": int(now), "deleted": its.deleted, "fields": fields}
    text = json.dumps(note, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()  # as the portal gets it


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _fits(noted: Any, read: Any) -> bool:
    if noted in (_ANY, read):
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
