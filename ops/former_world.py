"""A portal's items at a moment of the past, as the mirror and the history have them."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain

from ops.happened import Happened
from ops.offline import Network
from ops.past import Past
from ops.timeline import GapError, Timeline, born_at
from relay.change import Change, Fields, is_volatile
from relay.errors import PermanentError
from relay.kinds import KINDS, TASK, name_of
from relay.product_rows import PRODUCT_ROWS
from relay.reaction.past import changes_before
from relay.tracking.projection import Form
from relay.tracking.row import Key, Row

OWNERS = {kind.owner_code: kind.name for kind in KINDS.values() if kind.owner_code}
_CONDITION = re.compile(r"(!=|!@|!|=|@|)([A-Za-z]\w*)")

type Params = Mapping[str, object]
type Rule = tuple[str, str, set[str]]  # an operator, a field, values


class NotHeldError(Exception):
    """Raised for a read that only the portal could answer; the text names the method."""


class FormerWorld:
    """Answers reads of items as of a moment; each kind of items is read from the mirror once."""

    def __init__(self, past: Past, portal: str, happened: Happened, network: Network) -> None:
        self._past, self._portal, self._happened = past, portal, happened
        self._network = network
        self._rows: dict[str, dict[int, Row]] = {}
        self._values: dict[tuple[str, str], dict[str, set[int]]] = {}
        self._begins: dict[str, float] = {}

    def answer(self, method: str, params: Params, moment: float) -> dict[str, object]:
        """Return the result of a read; raises NotHeldError, and the portal's error of no item."""
        given = {name.lower(): value for name, value in params.items()}
        match method.lower():
            case "crm.item.get":
                return {"item": self._one(method, _kind(given), given.get("id"), moment)}
            case "tasks.task.get":
                return {"task": self._one(method, TASK, given.get("taskid"), moment)}
            case "crm.item.list":
                return {"items": list(self._list(_kind(given), given.get("filter"), moment))}
            case "crm.item.productrow.list":
                return {PRODUCT_ROWS: self._product_rows(method, given.get("filter"), moment)}
        raise NotHeldError(method)

    def _product_rows(self, method: str, conditions: object, moment: float) -> object:
        """Return the rows of one owner, where they are asked for by `=ownerType` and `=ownerId`."""
        match conditions:
            case {"=ownerType": str(code), "=ownerId": number, **rest} if (
                code in OWNERS and not rest
            ):
                return self._one(method, OWNERS[code], number, moment)[PRODUCT_ROWS] or []
        raise NotHeldError(f"{method} with other conditions than one owner")

    def with_past(self, change: Change) -> Change:
        """Return a change whose `history()` reads the stack's own."""

        async def read(limit: int) -> list[Change]:
            with self._network.opened():
                return list(changes_before(self._past.history, change, limit))

        return replace(change, past=read)

    def _one(self, method: str, entity: str, number: object, moment: float) -> Fields:
        state = None
        if str(number).isdecimal():
            state = self._state(entity, int(str(number)), moment)
        if state is None:
            raise PermanentError(method, "NOT_FOUND", f"{entity}/{number}")
        return Fields(state)

    def _state(self, entity: str, number: int, moment: float) -> Form | None:
        key = Key(self._portal, entity, number)
        timeline = self._happened.timelines.get(key)
        if timeline is None:  # nothing of it changed since
            row = self._of_kind(entity).get(number)
            timeline = Timeline(key, row, [], 0.0) if row else None
        return timeline.at(moment) if timeline else None

    def _list(self, entity: str, conditions: object, moment: float) -> Iterator[Fields]:
        rules = list(rules_of(conditions))
        for _, name, _ in rules:
            if is_volatile(name):
                raise NotHeldError(f"crm.item.list by {name}, of which the history has no past")
        if moment < self._filled(entity):
            raise NotHeldError(f"crm.item.list of a time before the mirror had every {entity}")
        for number in sorted(self._candidates(entity, rules)):
            try:
                state = self._state(entity, number, moment)
            except GapError:
                what = f"crm.item.list with {entity}/{number}, of which a change is missing"
                raise NotHeldError(what) from None
            if state is not None and all(holds(rule, state) for rule in rules):
                yield Fields(state)

    def _candidates(self, entity: str, rules: list[Rule]) -> set[int]:
        """Return the ids of items that may have met the rules: by one rule, or with a gap."""
        unsure = {
            key.id
            for key, one in self._happened.timelines.items()
            if one.item in self._happened.gaps and key.entity == entity
        }
        for operator, name, values in rules:
            if operator in {"", "=", "@"}:
                index = self._index(entity, name)
                return unsure.union(*(index[one] for one in values if one in index))
        return unsure | self._of_kind(entity).keys()

    def _index(self, entity: str, name: str) -> dict[str, set[int]]:
        """Return by a field's value the ids of the items that have it, or had it since."""
        if (entity, name) not in self._values:
            found: dict[str, set[int]] = defaultdict(set)
            for number, row in self._of_kind(entity).items():
                timeline = self._happened.timelines.get(row.key)
                befores = [one.before or {} for one in timeline.rows] if timeline else []
                values = [(row.form or {}).get(name), *(b[name] for b in befores if name in b)]
                for text in chain.from_iterable(map(_texts, values)):
                    found[text].add(number)
            self._values[entity, name] = found
        return self._values[entity, name]

    def _filled(self, entity: str) -> float:
        """Return from when on (epoch s) the mirror has had each item that was in the portal."""
        if entity not in self._begins:
            self._begins[entity] = max(
                (born_at(row) for row in self._of_kind(entity).values() if self._is_old(row)),
                default=0.0,
            )
        return self._begins[entity]

    def _is_old(self, row: Row) -> bool:
        """Return whether an item was in the portal before the mirror had it."""
        timeline = self._happened.timelines.get(row.key)
        return not (timeline and timeline.rows and timeline.rows[-1].before is None)

    def _of_kind(self, entity: str) -> dict[int, Row]:
        if entity not in self._rows:
            with self._network.opened():
                rows = self._past.kind(self._portal, entity)
                self._rows[entity] = {row.key.id: row for row in rows}
        return self._rows[entity]


def _kind(given: Params) -> str:
    number = str(given.get("entitytypeid"))
    if not number.isdecimal():
        raise NotHeldError(f"crm.item.* of entityTypeId {number}")
    return name_of(int(number))


def rules_of(conditions: object) -> Iterator[Rule]:
    """Yield the rules of a list's filter; raises NotHeldError for one that is not understood."""
    for name, value in conditions.items() if isinstance(conditions, Mapping) else ():
        found = _CONDITION.fullmatch(str(name))
        if not found or isinstance(value, Mapping):
            raise NotHeldError(f"crm.item.list with the condition {name}")
        yield found[1], found[2], set(_texts(value))


def holds(rule: Rule, state: Mapping[str, object]) -> bool:
    """Return whether an item meets a rule."""
    operator, name, values = rule
    return bool(set(_texts(state.get(name))) & values) is not operator.startswith("!")


def _texts(value: object) -> list[str]:
    """Return the values of a field as texts; an empty field has one, the empty text."""
    values = value if isinstance(value, list) else [value]
    return [_text(one) for one in values] or [""]


def _text(value: object) -> str:
    return "" if value is None or (value == 0 and not isinstance(value, bool)) else str(value)
