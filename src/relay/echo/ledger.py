"""What reactions write, noted: announce tells an echo by it (relay.echo.detect).

| what | row | when | holds |
|---|---|---|---|
| a write to an item | `echo#...` of this item and hour | before it is sent | fields, user, time |
| a create that bears a mark | `made#...#<mark>` (relay.echo.stamps) | before | kind and user |
| any other create | `made#...#<kind>/<id>` | after its answer | |
| a deletion | `gone#...` | after its answer | |

Before, so that no change is announced before its note; but only where what is read can be held
against the note. An id alone proves nothing of a call that was refused, so deletions and creates
without a mark are noted when they have run. Their event, a reading and the stream take longer.

The row of an item holds a mark of each write of a reaction to it too: a loop through somebody else
(an automation rule that answers every edit) goes on no faster than the budget of an hour.

Values of more than a few characters are noted as digests. A note over NOTE_BYTES has no fields, and
a row takes no notes beyond ROW_BYTES: those writes are counted, and pass for a person's.
"""

import json
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from relay.echo.same_value import plain, short
from relay.echo.stamps import PREFIX
from relay.errors import ConditionFailedError
from relay.kinds import KINDS, name_of
from relay.portal.batch import BATCH
from relay.portal.idempotent import is_read
from relay.portal.references import resolve

BUDGET = 30  # writes of one reaction to one item in an hour
NOTED_SECONDS = 900  # a change is read within seconds of its event; the queue may be behind
HOUR = 3600
KEEP_SECONDS = 25 * HOUR  # a stream that stood still for a day still finds them
CLOCK_SECONDS = 5  # how far the clocks of two copies may differ
NOTE_BYTES = 8_000
ROW_BYTES = 200_000  # of notes; DynamoDB's limit for a row is 400 KB
_NAMES = {kind.name for kind in KINDS.values() if kind.has_own_methods}
_OWNERS = {kind.owner_code: kind.name for kind in KINDS.values() if kind.owner_code}
MULTI_FIELDS = {"phone", "email", "web", "im", "link"}  # written by these names too, read as `fm`
# What a task's own methods set.
_TASK_STATUS = {"complete": 5, "start": 3, "pause": 2, "defer": 6, "renew": 2, "approve": 5}


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

    @property
    def mark(self) -> str:
        """The mark that was put on it, empty where there is none."""
        given = {plain(name): value for name, value in self.fields.items()}
        marks = (str(given.get(name, "")) for name in ("originid", "xmlid"))
        return next((its for its in marks if its.startswith(PREFIX)), "")


def writes_in(method: str, params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a call, or the writes of a batch."""
    if method != BATCH:
        yield method, params
        return
    yield from (call for call in params["commands"].values() if not is_read(call[0]))


def done_in(
    method: str, params: Mapping[str, Any], result: Any
) -> Iterator[tuple[str, Mapping[str, Any], Any, bool]]:
    """Yield the writes that have run, with the result of each, and whether it took an id from one.

    A reference that is the whole of a value is resolved as the portal does it; another stays.
    """
    if method != BATCH:
        yield method, params, result, False
        return
    for name, (command, given) in params["commands"].items():
        if name in result["results"] and not is_read(command):
            resolved = resolve(given, result["results"])
            late = written(command, given) is None
            yield command, resolved, result["results"][name], late


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
        case ["crm", "item", "productrow", "set"]:
            entity, number = _owner(given.get("ownertype")), given.get("ownerid")
        case ["tasks", "task", action] if "taskid" in given and action != "add":
            entity, number = "task", given["taskid"]
            if action in _TASK_STATUS:
                fields = {"STATUS": _TASK_STATUS[action]}
        case ["crm", "timeline", "comment", "add"]:
            entity, number = str(fields.get("ENTITY_TYPE", "")), fields.get("ENTITY_ID")
            fields = {}
        case ["crm", name, *rest] if name in _NAMES and rest != ["add"]:
            entity, fields = name, {}  # `crm.deal.contact.items.set` and the like
        case _:
            return None
    if not str(number).isdecimal():
        return None  # a reference to another result of its batch, or nothing that a portal takes
    return Written(entity, str(int(number)), fields, deleted=parts[2:] == ["delete"])


def created(method: str, params: Mapping[str, Any]) -> Created | None:
    """Return what a call makes; None where that is not mirrored."""
    parts = method.lower().split(".")
    given = {name.lower(): value for name, value in params.items()}
    fields: Mapping[str, Any] = given["fields"] if _is_map(given.get("fields")) else {}
    match parts:
        case ["tasks", "task", "add"]:
            # Whether a portal keeps the mark of a task is written nowhere.
            return Created(
                "task", {name: fields[name] for name in fields if plain(name) != "xmlid"}
            )
        case ["crm", "item", "add"]:
            return Created(_entity(given.get("entitytypeid")), fields)
        case ["crm", name, "add"] if name in _NAMES:
            return Created(name, fields)
        case _:
            return None


def number_of(result: Any) -> str | None:
    """Return the id of what was made: `{"item": {"id": 7}}`, `{"task": {"id": "7"}}` or `7`."""
    if _is_map(result):
        inner = result.get("item", result.get("task"))
        result = inner.get("id") if _is_map(inner) else None
    text = str(result)
    return text if text.isdecimal() else None


def row_key(portal: str, entity: str, item_id: str, now: float) -> str:
    """Return the key of an item's ledger in the hour of a time."""
    return f"echo#{portal}#{entity}/{item_id}#{int(now // HOUR)}"


def row_keys(portal: str, entity: str, item_id: str, now: float) -> list[str]:
    """Return the keys of the rows in which a write of the last minutes may be noted."""
    times = (now + CLOCK_SECONDS, now, now - NOTED_SECONDS)
    keys = (row_key(portal, entity, item_id, at) for at in times)
    return list(dict.fromkeys(keys))


def made_key(portal: str, what: str) -> str:
    """Return the key of the row that says of a mark, or of `<kind>/<id>`, that we make it."""
    return f"made#{portal}#{what}"


def gone_key(portal: str, entity: str, item_id: str) -> str:
    """Return the key of the row that says that we have deleted an item; ids are used once."""
    return f"gone#{portal}#{entity}/{item_id}"


class Fact:
    """A row whose key says what was done; plainly put, a hundred bytes."""

    conditional = False

    def __init__(self, key: str, now: float, **more: Any) -> None:
        self.name = key
        self._row = {name: {"S": str(value)} for name, value in more.items()}
        self._row |= {"pk": {"S": key}, "expires": {"N": str(int(now + KEEP_SECONDS))}}

    @classmethod
    def of_mark(cls, portal: str, its: Created, user: int, now: float) -> "Fact":
        """Return what is noted of a marked create: a conversion copies marks to other kinds."""
        given = {plain(name): value for name, value in its.fields.items()}
        by = given.get("createdby") or user
        return cls(made_key(portal, its.mark), now, entity=its.entity, user=by)

    def merge(self, other: "Fact") -> None:
        """Take in nothing: a row of this name says it."""

    def make(self, table: str) -> dict[str, Any]:  # noqa: ARG002  every request is told
        """Return the row's item."""
        return self._row


class Note:
    """A write on its way into the ledger; refused where the budget, or the row's room, is used up.

    The budget is a set of marks: one for each write, the same whenever that write is tried again,
    in this copy or another. It holds what was sent or may have been: `Unsent` takes the rest back.
    What leaks between the two is the mark that the next try sets.

    What is refused for want of room is counted without its notes (`bare`).
    """

    conditional = True

    def __init__(  # noqa: PLR0913, PLR0917  who wrote what where, and when
        self, portal: str, its: Written, reaction: str, token: str, user: int, now: float,
        mark: str = "",
    ) -> None:  # fmt: skip
        self._key = row_key(portal, its.entity, its.id, now)
        self._now = now
        text = _noted(its, user, now) if its.fields else ""
        self._own = {f"note {token}": text} if text else {}
        self._notes = dict(self._own)
        self._mark = mark or token
        self._marks = {self._mark}
        self._budget = f"sent {reaction}"  # `count <reaction>` was a number, in rows of before
        self.name = f"{self._key} {reaction}"

    def merge(self, other: "Note") -> None:
        """Take in another write of this reaction to this item."""
        if _size(self._notes) + _size(other._notes) <= ROW_BYTES:  # noqa: SLF001  it is one of us
            self._notes |= other._notes  # noqa: SLF001
        self._marks |= other._marks  # noqa: SLF001

    def bare(self) -> "Note":
        """Return the note without what the row may have no room for."""
        bare = copy(self)
        bare._own, bare._notes, bare._marks = {}, {}, {self._mark}  # noqa: SLF001  one of us
        return bare

    def is_over(self, row: Mapping[str, Any] | None) -> bool:
        """Say whether the budget in a row that refused it has no room for it alone."""
        marks = row.get(self._budget, {"SS": []})["SS"] if row else []
        return len(marks) >= BUDGET and self._mark not in marks

    def is_too_large(self, row: Mapping[str, Any] | None) -> bool:
        """Say whether a row that refused it has no room for its notes."""
        used = int(row.get("bytes", {"N": "0"})["N"]) if row else 0
        return used + _size(self._own) > ROW_BYTES

    def unsent(self) -> "Unsent":
        """Return what takes it back."""
        return Unsent(self._key, self._budget, self._mark, self._own)

    def make(self, table: str) -> dict[str, Any]:
        """Return the update for a transaction; raises ConditionFailedError if it never fits."""
        if len(self._marks) > BUDGET:
            raise ConditionFailedError(None)
        names = {"#marks": self._budget, "#expires": "expires"}
        values: dict[str, Any] = {
            ":marks": {"SS": sorted(self._marks)},
            ":most": {"N": str(BUDGET - len(self._marks))},
            ":expires": {"N": str(int(self._now + KEEP_SECONDS))},
        }
        sets, adds = ["#expires = :expires"], ["#marks :marks"]
        condition = "attribute_not_exists(#marks) OR size(#marks) <= :most"
        if len(self._marks) == 1:
            values[":mark"] = {"S": self._mark}
            condition += " OR contains(#marks, :mark)"
        if self._notes:
            size = _size(self._notes)
            names["#bytes"], values[":bytes"] = "bytes", {"N": str(size)}
            values[":room"] = {"N": str(ROW_BYTES - size)}
            adds.append("#bytes :bytes")
            condition = f"({condition}) AND (attribute_not_exists(#bytes) OR #bytes <= :room)"
        for at, (name, text) in enumerate(self._notes.items()):
            names[f"#n{at}"], values[f":n{at}"] = name, {"S": text}
            sets.append(f"#n{at} = :n{at}")
        return {
            "Update": {
                "TableName": table,
                "Key": {"pk": {"S": self._key}},
                "UpdateExpression": f"SET {', '.join(sets)} ADD {', '.join(adds)}",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


class Unsent:
    """Notes of writes that were not sent, on their way out of the ledger."""

    conditional = True  # a part of a transaction, like the note

    def __init__(self, key: str, budget: str, mark: str, notes: Mapping[str, str]) -> None:
        self._key, self._budget, self._marks, self._notes = key, budget, {mark}, dict(notes)
        self.name = f"{key} {budget} unsent"

    def merge(self, other: "Unsent") -> None:
        """Take in another write of this reaction to this item."""
        self._marks |= other._marks  # noqa: SLF001  it is one of us
        self._notes |= other._notes  # noqa: SLF001

    def make(self, table: str) -> dict[str, Any]:
        """Return the update as a part of a transaction."""
        names = {"#marks": self._budget}
        values: dict[str, Any] = {":marks": {"SS": sorted(self._marks)}}
        update = "DELETE #marks :marks"
        if self._notes:
            names |= {f"#n{at}": name for at, name in enumerate(self._notes)} | {"#bytes": "bytes"}
            values[":less"] = {"N": str(-_size(self._notes))}
            gone = ", ".join(f"#n{at}" for at in range(len(self._notes)))
            update += f" REMOVE {gone} ADD #bytes :less"
        return {
            "Update": {
                "TableName": table,
                "Key": {"pk": {"S": self._key}},
                "UpdateExpression": update,
                "ConditionExpression": "attribute_exists(#marks)",
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            }
        }


def _size(notes: Mapping[str, str]) -> int:
    return sum(len(name) + len(text.encode()) for name, text in notes.items())


def _noted(its: Written, user: int, now: float) -> str:
    """Return a note's text: the fields by the names that will be read; empty where it is too long.

    Phones and their like are rows of number, text, kind and use; a new row has no number yet.
    """
    fields: dict[str, Any] = {}
    for name, value in its.fields.items():
        key = plain(name)
        if key in MULTI_FIELDS or key == "fm":
            kind = "" if key == "fm" else key.upper()
            fields["fm"] = [*fields.get("fm", []), *_rows(value, kind)]
        elif key == "statusid" and its.entity == "lead":
            fields["stageid"] = short(value)
        else:
            fields[key] = short(value)
    note = {"at": int(now), "user": user, "fields": fields}
    text = json.dumps(note, ensure_ascii=False, separators=(",", ":"), default=str)
    data = text.encode("utf-8", "replace")  # as the portal gets it
    return data.decode() if len(data) <= NOTE_BYTES else ""


def _rows(value: Any, kind: str) -> list[tuple[str, str, str, str]]:
    rows = [("", row) for row in value] if isinstance(value, list | tuple) else ()
    rows = value.items() if _is_map(value) else rows
    found = []
    for key, row in rows:
        given = {plain(name): its for name, its in row.items()} if _is_map(row) else {}
        number = str(given.get("id", key))
        gone = given.get("delete") == "Y"
        text = "" if gone else str(given.get("value", ""))
        said = str(given.get("typeid", kind)), str(given.get("valuetype", ""))
        found.append((number if number.isdecimal() else "", text, *said))
    return found


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _entity(type_id: Any) -> str:
    text = str(type_id)
    return name_of(int(text)) if text.isdecimal() else f"dynamic_{text}"


def _owner(abbreviation: Any) -> str:
    text = str(abbreviation).upper()
    if text in _OWNERS:
        return _OWNERS[text]
    try:
        return name_of(int(text.removeprefix("T"), 16))
    except ValueError:
        return text.lower()
