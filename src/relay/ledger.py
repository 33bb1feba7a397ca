"""What reactions write, noted before it is sent: announce tells an echo by it (relay.echo).

A write to an item is noted in a row for each item and hour, with the fields that it sets. The same
row counts the writes of each reaction to the item: a loop through somebody else (an automation
rule that answers every edit) ends when the budget is used up.

An item that is made has no number yet. Most bear a mark (relay.once.lost); where none can be set,
or nobody knows whether it is kept, a row says that this user makes one of this name now. It holds
nothing more and is simply put: a thousand creates are a thousand small rows, and no budget.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from html import unescape
from typing import Any

from relay.once.lost import mark_of
from relay.once.writes import BATCH

BUDGET = 30  # writes of one reaction to one item in an hour
NOTED_SECONDS = 900  # a change is read within seconds of its event; the queue may be behind
HOUR = 3600
KEEP_SECONDS = 25 * HOUR  # a stream that stood still for a day still finds them
CLOCK_SECONDS = 5  # how far the clocks of two copies may differ
_TYPES = {1: "lead", 2: "deal", 3: "contact", 4: "company", 7: "quote", 31: "invoice"}
_NAMES = set(_TYPES.values())
_OWNERS = {"L": "lead", "D": "deal", "Q": "quote", "SI": "invoice"}
MULTI_FIELDS = {"phone", "email", "web", "im", "link"}  # written by these names too, read as `fm`
_DAYS = {"begindate", "closedate", "actualdate", "birthdate"}  # a portal drops their time
_NAME_LENGTH = 100  # a portal may cut a longer one off


@dataclass(frozen=True, slots=True)
class Written:
    """The item that a call writes to, and the fields that it sets there."""

    entity: str
    id: str
    fields: Mapping[str, Any]
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Created:
    """The kind of item that a call makes, and the fields that it has from the beginning."""

    entity: str
    fields: Mapping[str, Any]


def calls_in(method: str, params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a call, or the calls of a batch."""
    if method == BATCH:
        yield from params["commands"].values()
    else:
        yield method, params


def written(method: str, params: Mapping[str, Any]) -> Written | None:
    """Return what a call writes to; None where that is no item of the mirror."""
    parts = method.lower().split(".")
    given = {name.lower(): value for name, value in params.items()}
    fields: Mapping[str, Any] = given["fields"] if _is_map(given.get("fields")) else {}
    entity = ""
    number: Any = given.get("id")
    match parts:
        case ["crm", "item", "update" | "delete"]:
            entity = _entity(given.get("entitytypeid"))
        case ["crm", name, "update" | "delete"] if name in _NAMES:
            entity = name
        case ["crm", name, "productrows", "set"] if name in _NAMES:
            entity, fields = name, {}
        case ["crm", "item", "productrow", "set"]:
            entity, number = _owner(given.get("ownertype")), given.get("ownerid")
        case ["tasks", "task", _] if "taskid" in given and parts[-1] != "add":
            entity, number = "task", given["taskid"]  # `complete` and the like too
        case ["crm", "timeline", "comment", "add"]:
            entity, number = str(fields.get("ENTITY_TYPE", "")), fields.get("ENTITY_ID")
            fields = {}
        case _:
            return None
    return Written(entity, str(number), fields, deleted=parts[-1] == "delete")


def created(method: str, params: Mapping[str, Any]) -> Created | None:
    """Return what a call makes, where no mark tells it; None too where that is not mirrored."""
    parts = method.lower().split(".")
    given = {name.lower(): value for name, value in params.items()}
    fields: Mapping[str, Any] = given["fields"] if _is_map(given.get("fields")) else {}
    match parts:
        case ["tasks", "task", "add"]:
            return Created("task", fields)  # whether a portal keeps its mark is written nowhere
        case ["crm", "item", "add"]:
            entity = _entity(given.get("entitytypeid"))
        case ["crm", name, "add"] if name in _NAMES:
            entity = name
        case _:
            return None
    return None if mark_of(method, params, "") else Created(entity, fields)


def row_key(portal: str, entity: str, item_id: str, now: float) -> str:
    """Return the key of an item's ledger in the hour of a time."""
    return f"echo#{portal}#{entity}/{item_id}#{int(now // HOUR)}"


def row_keys(portal: str, entity: str, item_id: str, now: float) -> list[str]:
    """Return the keys of the rows in which a write of the last minutes may be noted."""
    times = (now + CLOCK_SECONDS, now, now - NOTED_SECONDS)
    keys = (row_key(portal, entity, item_id, at) for at in times)
    return list(dict.fromkeys(keys))


def made_key(portal: str, entity: str, user: Any, name: str, now: float) -> str:
    """Return the key of the row that says: in these minutes a user makes an item of this name."""
    digest = sha256(f"{user} {name}".encode("utf-8", "replace")).hexdigest()[:20]
    return f"made#{portal}#{entity}#{int(now // NOTED_SECONDS)}#{digest}"


def made_keys(portal: str, entity: str, fields: Mapping[str, Any], now: float) -> list[str]:
    """Return the keys of the rows that an item made in the last minutes may be noted by.

    The portal names what was made without a name.
    """
    user, name = fields.get("createdBy"), name_of(entity, fields)
    times = (now + CLOCK_SECONDS, now, now - NOTED_SECONDS)
    keys = (made_key(portal, entity, user, its, at) for its in (name, "") for at in times)
    return list(dict.fromkeys(keys))


def name_of(entity: str, fields: Mapping[str, Any]) -> str:
    """Return what an item is called, whether its fields were written or read."""
    given = {plain(name): value for name, value in fields.items()}
    names = ("name", "lastname") if entity == "contact" else ("title",)
    text = " ".join(str(given[name]) for name in names if given.get(name))
    return " ".join(unescape(text).split())[:_NAME_LENGTH]


class Making:
    """A create on its way into the ledger: a row whose key says all."""

    conditional = False

    def __init__(self, portal: str, its: Created, user: int, now: float) -> None:
        given = {plain(name): value for name, value in its.fields.items()}
        by = given.get("createdby") or user
        self.name = made_key(portal, its.entity, by, name_of(its.entity, its.fields), now)
        self._expires = int(now + KEEP_SECONDS)

    def merge(self, other: "Making") -> None:
        """Take in nothing: a row of this name says it."""

    def make(self, table: str) -> dict[str, Any]:  # noqa: ARG002  every request is told
        """Return the row's item."""
        return {"pk": {"S": self.name}, "expires": {"N": str(self._expires)}}


class Note:
    """A write on its way into the ledger; refused where the budget is used up."""

    def __init__(  # noqa: PLR0913, PLR0917  who wrote what where, and when
        self, portal: str, its: Written, reaction: str, token: str, user: int, now: float
    ) -> None:
        self._key = row_key(portal, its.entity, its.id, now)
        self._now = now
        noted = its.fields or its.deleted
        self._notes = {f"note {token}": _noted(its, user, now)} if noted else {}
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


def _noted(its: Written, user: int, now: float) -> str:
    """Return a note's text: the fields by the names, and with the values, that will be read."""
    fields: dict[str, Any] = {}
    for name, value in its.fields.items():
        key = plain(name)
        if key in MULTI_FIELDS or key == "fm":
            fields["fm"] = [*fields.get("fm", []), *_rows(value)]
        elif key in _DAYS:
            fields[key] = str(value or "")[: len("2026-03-05")]
        elif key == "statusid" and its.entity == "lead":
            fields["stageid"] = canonical(value)
        else:
            fields[key] = canonical(value)
    note = {"at": int(now), "user": user, "deleted": its.deleted, "fields": fields}
    text = json.dumps(note, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()  # as the portal gets it


def _rows(value: Any) -> list[tuple[str, str]]:
    """Return number and text of each phone, e-mail and the like; a new one has no number yet."""
    rows = value.items() if _is_map(value) else (("", row) for row in value or ())
    found = []
    for key, row in rows:
        given = {plain(name): its for name, its in row.items()} if _is_map(row) else {}
        number = str(given.get("id", key))
        text = "" if given.get("delete") == "Y" else str(given.get("value", ""))
        found.append((number if number.isdecimal() else "", text))
    return found


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _entity(type_id: Any) -> str:
    text = str(type_id)
    return (_TYPES.get(int(text)) if text.isdecimal() else None) or f"dynamic_{text}"


def _owner(abbreviation: Any) -> str:
    text = str(abbreviation).upper()
    if text in _OWNERS:
        return _OWNERS[text]
    try:
        return f"dynamic_{int(text.removeprefix('T'), 16)}"
    except ValueError:
        return text.lower()
