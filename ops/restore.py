"""What has to be written to an item so that it is as it was before some changes. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ops.timeline import Step
from relay.field_names import plain
from relay.kinds import TASK, kind_of
from relay.product_rows import PRODUCT_ROWS
from relay.tracking.commands import TASK_FIELDS
from relay.tracking.difference import difference
from relay.tracking.projection import Form, is_digest
from relay.tracking.row import Key

# Set by the portal itself, and read-only (rest-protocol section 10), or made from other fields.
_READ_ONLY = """
id createdtime createdby createddate updatedtime updatedby changeddate changedby movedtime movedby
lastactivitytime lastactivityby activitydate lastcommunicationtime statuschangeddate
statuschangedby closeddate closedby datestart dateclosed previousstageid stagesemanticid closed
hasphone hasemail hasimol isnew isrecurring isrepeatedapproach isreturncustomer fullname
formattedname opportunityaccount taxvalueaccount accountcurrencyid realstatus substatus entitytypeid
requisites contactbindings taskhasresult taskhasopenresult taskrequireresult
"""
READ_ONLY = frozenset(_READ_ONLY.split())
_ROW_READ_ONLY = {
    *("id", "ownerId", "ownerType", "customized", "type", "storeId"),
    *("priceAccount", "priceExclusive", "priceNetto", "priceBrutto"),
}
_TASK_NAMES = {plain(name): name for name in TASK_FIELDS}

type Call = tuple[str, dict[str, object]]  # a method and its parameters


class CanNotUndoError(Exception):
    """Raised for a change that can't be undone; the text says why, and what can be done."""


@dataclass
class Plan:
    """The changes of one item that are to be undone, and the fields that are to be written."""

    key: Key
    changes: list[str] = field(default_factory=list)
    fields: dict[str, tuple[object, object]] = field(default_factory=dict)  # now, then

    @property
    def item(self) -> str:
        """The item, `deal/662`."""
        return f"{self.key.entity}/{self.key.id}"

    def calls(self) -> Iterator[Call]:
        """Yield the calls that write the fields back: one, and one for product rows."""
        kind = kind_of(self.key.entity)
        fields = {name: _written(*values) for name, values in self.fields.items()}
        rows = fields.pop(PRODUCT_ROWS, None)
        if self.key.entity == TASK:
            named = {_TASK_NAMES.get(plain(name), name): one for name, one in fields.items()}
            yield "tasks.task.update", {"taskId": self.key.id, "fields": named}
        elif fields:
            yield (
                "crm.item.update",
                {
                    "entityTypeId": kind.entity_type_id,
                    "id": self.key.id,
                    "useOriginalUfNames": "Y",
                    "fields": fields,
                },
            )
        if isinstance(rows, list):  # it replaces all rows (more-methods section 2)
            yield (
                "crm.item.productrow.set",
                {
                    "ownerType": kind.owner_code,
                    "ownerId": self.key.id,
                    "productRows": [_without(row, _ROW_READ_ONLY) for row in rows],
                },
            )


def plan_of(key: Key, now: Form | None, steps: Sequence[Step], only: str = "") -> Plan:
    """Return what undoes changes of an item, the newest first; raises CanNotUndoError.

    `only` is the one field that counts. A field that was changed again since is not overwritten,
    unless that change is undone as well.
    """
    plan = Plan(key)
    if now is None:
        raise CanNotUndoError(f"{plan.item} is deleted; {_restore(plan.item)}")
    state: Form = dict(now)
    for step in steps:
        for name, before, after in _replaced(plan.item, step, only):
            if state.get(name) == before != after:
                continue  # it is so already
            if state.get(name) != after:
                raise CanNotUndoError(
                    f"{plan.item}: {name} was changed again after {step.past.change_id}; undo that "
                    "change first (`make history` shows it), or name another field with FIELD=…"
                )
            state[name] = before
        plan.changes.append(step.past.change_id)
    for name in difference(now, state):
        plan.fields[name] = now.get(name), state.get(name)
    return plan


def written_names(step: Step, only: str = "") -> list[str]:
    """Return the fields that a change set and that can be written, or `only` that one of them."""
    names = difference(step.before or {}, step.after or {})
    return [one for one in names if plain(one) not in READ_ONLY and only in {"", one}]


def _replaced(item: str, step: Step, only: str) -> list[tuple[str, object, object]]:
    """Return name, former and later value of each field that a change set."""
    change_id = step.past.change_id
    if step.after is None:
        raise CanNotUndoError(f"{change_id} deleted {item}; {_restore(item)}")
    if step.before is None or step.past.action == "added":
        raise CanNotUndoError(
            f"{change_id} added {item}: to undo it is to delete the item; do that in the portal"
        )
    names = written_names(step, only)
    if not names:
        what = only or "a field that can be written"
        raise CanNotUndoError(f"{change_id} did not change {what}")
    for name in names:
        if is_digest(step.before.get(name)):
            raise CanNotUndoError(
                f"{change_id}: the former value of {name} was too large to be kept; name another "
                "field with FIELD=…"
            )
    return [(name, step.before.get(name), step.after.get(name)) for name in names]


def _restore(item: str) -> str:
    return (
        "the portal's recycle bin can restore it, and then it comes back as added; "
        f"`make asof ITEM={item} AT=…` shows what it held"
    )


def _written(now: object, then: object) -> object:
    """Return a value as a call takes it; `now` shows how its field is emptied.

    Rows of phones and the like: `n0` makes a row, an empty value deletes one
    (rest-protocol section 9.3).
    """
    if _is_rows(now) or _is_rows(then):
        return _rows(now, then)
    if then is True:
        return "Y"
    if then is not None:
        return then
    if now is True:
        return "N"
    return [] if isinstance(now, list) else ""


def _without(row: Mapping[str, object], names: set[str]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in names}


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and "typeId" in one for one in value
    )


def _rows(now: object, then: object) -> dict[str, Mapping[str, object]]:
    wanted, present = _by_number(then), _by_number(now)
    written: dict[str, Mapping[str, object]] = {}
    for number, row in present.items():
        if number not in wanted:
            written[number] = {"typeId": row["typeId"], "value": ""}
    for number, row in wanted.items():
        fields = {name: row[name] for name in ("typeId", "valueType", "value") if name in row}
        if number not in present:  # a row that was deleted gets a new number
            written[f"n{len(written)}"] = fields
        elif present[number] != row:
            written[number] = fields
    return written


def _by_number(rows: object) -> dict[str, Mapping[str, object]]:
    return {str(row["id"]): row for row in rows} if isinstance(rows, list) else {}
