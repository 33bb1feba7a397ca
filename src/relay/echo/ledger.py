"""The ledger: what reactions write, noted so that announce can tell an echo (relay.echo.detect).

| noted is | in the row | when | holds |
|---|---|---|---|
| a write to an item | `echo#` of this item and hour | before it is sent | fields, user, time |
| a create with a stamp | `made#` of the stamp | before it is sent | kind, user, reaction |
| any other create | `made#` of the new id and its neighbours | after its answer | reaction |
| a deletion | `gone#` of the item | after its answer | reaction |

A write is noted before it is sent, so that no change is announced before its note. That needs a
reading that can be held against the note. An id alone proves nothing of a call that was refused, so
deletions and creates without a stamp are noted when they have run; their event, a reading and the
stream take longer.

The row of an item also holds the budget: the ids of the writes of each reaction in this hour, less
those that it counts elsewhere (relay.reaction.newest). A loop through somebody else (an automation
rule that answers every edit) goes on no faster than that.

A note of more than NOTE_BYTES has no fields, and a row takes no notes beyond ROW_BYTES: such a
write is counted, and its change passes for a person's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from relay.aws_types import Item, Value
from relay.echo.effects import CreatedItem
from relay.errors import ConditionFailedError
from relay.state_table import LEDGER_SECONDS, created_ids_key, key, ledger_key, stamp_key
from relay.state_writes import Condition, Put, Update

BUDGET = 30  # writes of one reaction to one item in an hour
NOTED_SECONDS = 900  # a change is read within seconds of its event; the queue may be behind
CLOCK_SECONDS = 5  # how far the clocks of two copies may differ
ROW_BYTES = 200_000  # of notes; DynamoDB's limit for a row is 400 KB
SENT = "sent "  # before a reaction's name: the ids of its writes in this hour


def keys_around(portal: str, item: str, now: float) -> list[str]:
    """Return the keys of the rows in which a write of the last minutes may be noted."""
    times = (now + CLOCK_SECONDS, now, now - NOTED_SECONDS)
    return list(dict.fromkeys(ledger_key(portal, item, at) for at in times))


def fact(pk: str, now: float, *, by: str, **attributes: str) -> Put:
    """Return the row that says by its key what the reaction `by` has done; a hundred bytes."""
    texts: dict[str, Value] = {name: {"S": text} for name, text in attributes.items()}
    texts["by"] = {"S": by}
    return Put({**texts, **key(pk), "expires": {"N": str(int(now + LEDGER_SECONDS))}})


def stamped(portal: str, created: CreatedItem, user_id: int, now: float, *, by: str) -> Put:
    """Return the row of a stamped create. Kind and user: a conversion copies stamps elsewhere."""
    row_key = stamp_key(portal, created.stamp)
    return fact(row_key, now, by=by, entity=created.entity, user=created.author(user_id))


@dataclass(frozen=True, slots=True)
class Creation:
    """A new item of a reaction, on its way into the ledger."""

    key: str
    id: str
    reaction: str
    now: float  # epoch s

    @classmethod
    def of(cls, portal: str, entity: str, number: str, now: float, *, by: str) -> "Creation":
        """Return it with the key of its row."""
        return cls(created_ids_key(portal, entity, int(number)), str(int(number)), by, now)


def add_creations(creations: Sequence[Creation]) -> Update:
    """Return the update that notes new items with neighbouring ids of one reaction."""
    ids = {one.id for one in creations}  # a name twice would be refused
    names = {"#expires": "expires"} | {f"#n{at}": name for at, name in enumerate(sorted(ids))}
    values: dict[str, Value] = {
        ":expires": {"N": str(int(creations[0].now + LEDGER_SECONDS))},
        ":by": {"S": creations[0].reaction},
    }
    sets = ", ".join(f"#n{at} = :by" for at in range(len(ids)))
    change = f"SET #expires = :expires, {sets}"
    return Update(creations[0].key, change, Condition("", names, values))


@dataclass(frozen=True, slots=True)
class Note:
    """One write of a reaction to an item, on its way into the ledger."""

    key: str
    item: str  # `<entity>/<id>`
    reaction: str
    token: str  # this try's own
    write_id: str  # the same whenever the write is tried, in any copy: the budget counts it once
    text: str  # that of the NoteText
    now: float  # epoch s
    elsewhere: int = 0  # writes of this reaction to the item in this hour that no row here has

    @property
    def budget(self) -> str:
        """Return the name of the attribute with the ids of this reaction's writes."""
        return f"{SENT}{self.reaction}"

    def attributes(self) -> dict[str, str]:
        """Return the note as the row has it: `{"note <token>": text}`, empty without a text."""
        return {f"note {self.token}": self.text} if self.text else {}

    def is_over_budget(self, row: Item | None) -> bool:
        """Return whether the row that refused the note has no budget for it alone."""
        used = row.get(self.budget, {}).get("SS", []) if row else []
        return len(used) + self.elsewhere >= BUDGET and self.write_id not in used

    def is_too_large(self, row: Item | None) -> bool:
        """Return whether the row that refused the note has no room for its text."""
        used = int(row.get("bytes", {}).get("N", "0")) if row else 0
        return used + _size(self.attributes()) > ROW_BYTES


def add_notes(notes: Sequence[Note]) -> Update:
    """Return the update that notes some writes of one reaction to one item.

    Its condition is the budget, and the room for the texts. Texts beyond ROW_BYTES are left out.
    Raises ConditionFailedError for more writes than a budget has.
    """
    write_ids = {note.write_id for note in notes}
    most = BUDGET - len(write_ids) - max(note.elsewhere for note in notes)
    if most < 0:
        raise ConditionFailedError
    texts: dict[str, str] = {}
    for note in notes:
        if _size(texts) + _size(note.attributes()) <= ROW_BYTES:
            texts |= note.attributes()
    first = notes[0]
    names = {"#ids": first.budget, "#expires": "expires"}
    values: dict[str, Value] = {
        ":ids": {"SS": sorted(write_ids)},
        ":most": {"N": str(most)},
        ":expires": {"N": str(int(first.now + LEDGER_SECONDS))},
    }
    sets, adds = ["#expires = :expires"], ["#ids :ids"]
    condition = "attribute_not_exists(#ids) OR size(#ids) <= :most"
    if len(write_ids) == 1:
        values[":id"] = {"S": first.write_id}
        condition += " OR contains(#ids, :id)"
    if texts:
        size = _size(texts)
        names["#bytes"], values[":bytes"] = "bytes", {"N": str(size)}
        values[":room"] = {"N": str(ROW_BYTES - size)}
        adds.append("#bytes :bytes")
        condition = f"({condition}) AND (attribute_not_exists(#bytes) OR #bytes <= :room)"
    for at, (name, text) in enumerate(texts.items()):
        names[f"#n{at}"], values[f":n{at}"] = name, {"S": text}
        sets.append(f"#n{at} = :n{at}")
    change = f"SET {', '.join(sets)} ADD {', '.join(adds)}"
    return Update(first.key, change, Condition(condition, names, values))


def take_back_notes(notes: Sequence[Note]) -> Update:
    """Return the update that takes back the notes of writes that were not sent."""
    first = notes[0]
    texts = {name: text for note in notes for name, text in note.attributes().items()}
    names = {"#ids": first.budget}
    values: dict[str, Value] = {":ids": {"SS": sorted({note.write_id for note in notes})}}
    change = "DELETE #ids :ids"
    if texts:
        names |= {f"#n{at}": name for at, name in enumerate(texts)} | {"#bytes": "bytes"}
        values[":less"] = {"N": str(-_size(texts))}
        removed = ", ".join(f"#n{at}" for at in range(len(texts)))
        change += f" REMOVE {removed} ADD #bytes :less"
    return Update(first.key, change, Condition("attribute_exists(#ids)", names, values))


def _size(texts: dict[str, str]) -> int:
    return sum(len(name) + len(text.encode()) for name, text in texts.items())
