"""Filters and orders of list methods: prefixes, nested OR, what each family refuses.

[the method pages] `crm.item.list` refuses unknown fields by name, classic CRM ignores them.
"""

import re
from collections.abc import Callable
from typing import Any

from local.portal.errors import invalid_argument
from local.portal.patterns import like
from local.portal.php import entries, values_of
from local.portal.portal import Portal
from local.portal.shape import Field, Shape
from local.portal.table import Row
from local.portal.values import convert

Predicate = Callable[[Row], bool]

_PREFIX = re.compile(r"^(!=%|!%=|!=|!%|!@|=%|%=|>=|<=|>|<|=|@|%|!)?(.*)$", re.DOTALL)
_MAX_DEPTH = 20
_TIMES = {"updatedTime", "createdTime", "movedTime", "lastActivityTime"}


class FilterCompiler:
    """Turns a request's filter into one test of a row; `names` as in `read_fields`."""

    def __init__(self, portal: Portal, entity: Shape, names: str) -> None:
        self.portal, self.entity, self.names = portal, entity, names

    def compile(self, given: Any, depth: int = 0) -> Predicate | None:
        """One predicate for all conditions, or None where there are none."""
        if depth > _MAX_DEPTH:
            raise invalid_argument("Invalid filter: nesting is too deep")
        pairs = entries(given)
        if self.names == "classic":  # no OR there [the method pages]
            pairs = [(key, value) for key, value in pairs if not key.isdigit()]
        either = any(key == "logic" and str(value).upper() == "OR" for key, value in pairs)
        tests = [
            self.compile(value, depth + 1) if key.isdigit() else self._condition(key, value)
            for key, value in pairs
            if key != "logic"
        ]
        found = [test for test in tests if test is not None]
        if len(found) <= 1:
            return found[0] if found else None
        if either:
            return lambda row: any(test(row) for test in found)
        return lambda row: all(test(row) for test in found)

    def _condition(self, name: str, value: Any) -> Predicate | None:
        match = _PREFIX.match(name)
        operator, plain = (match[1] or "", match[2]) if match else ("", name)
        field = self._field(plain)
        if field is None:
            if self.names == "classic":
                return None
            raise invalid_argument(f"Invalid filter: field '{plain}' is not allowed in filter")
        if field.type == "crm_multifield":
            return _multi_field_test(field.name, operator, value)
        try:
            return self._test(field, operator, value)
        except (ValueError, TypeError, OverflowError):
            if self.names == "classic":
                return lambda _row: False
            text = f"Invalid filter: field '{plain}' has invalid value"
            raise invalid_argument(text) from None

    def _field(self, name: str) -> Field | None:
        if self.names == "classic":
            field = self.entity.classic.get(name.upper())
            return field if field and (field.key or field.type == "crm_multifield") else None
        field = self.entity.find(name, original=self.names == "original")
        return field or (self.entity.fields.get("id") if name == "ID" else None)

    def _test(self, field: Field, operator: str, value: Any) -> Predicate:
        key, blank = field.key, self.entity.blank.get(field.key)
        negated = operator.startswith("!")
        core = operator.removeprefix("!")
        if "%" in core:
            pattern = like(value, wrapped=core == "%")
            return lambda row: pattern(_text(row.get(key, blank))) is not negated
        if core in {">", ">=", "<", "<="}:
            return _comparison(key, blank, core, self._value(field, value))
        wanted = [self._value(field, entry) for entry in values_of(value)]
        accepted = frozenset(_fold(entry) for entry in wanted)
        if None in accepted or "" in accepted or (0 in accepted and field.type.startswith("crm_c")):
            accepted |= {None, ""}
        if field.multiple:
            return lambda row: (
                (not accepted.isdisjoint(map(_fold, row.get(key, blank) or [None]))) is not negated
            )
        return lambda row: (_fold(row.get(key, blank)) in accepted) is not negated

    def _value(self, field: Field, value: Any) -> Any:
        if value is None or value == "":
            return None
        if field.type in {"char", "boolean"} and str(value) in {"0", "1"}:
            return "Y" if str(value) == "1" else "N"  # boolean user fields are filtered by 1 and 0
        shift = self.portal.settings.filter_shift_hours if field.key in _TIMES else 0.0
        if field.type == "datetime" and not isinstance(value, list | dict):
            return convert(self.portal, field, value, shift)
        return convert(self.portal, field, value)


def _comparison(key: str, blank: Any, operator: str, limit: Any) -> Predicate:
    if limit is None:
        return lambda _row: False
    limit = _fold(limit)

    def test(row: Row) -> bool:
        value = _fold(row.get(key, blank))
        if value is None or isinstance(value, str) != isinstance(limit, str):
            return False
        if operator[0] == ">":
            return value > limit or (value == limit and operator == ">=")
        return value < limit or (value == limit and operator == "<=")

    return test


def _fold(value: Any) -> Any:
    if isinstance(value, list | dict):
        return None  # no condition is met by what is no value
    return value.casefold() if isinstance(value, str) else value


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _multi_field_test(name: str, operator: str, value: Any) -> Predicate:
    wanted = values_of(value)
    texts = {str(entry).casefold() for entry in wanted}
    partial = "%" in operator

    def test(row: Row) -> bool:
        found = [
            entry["value"].casefold() for entry in row.get("fm", ()) if entry["typeId"] == name
        ]
        if texts == {""}:
            hit = not found
        elif partial:
            hit = any(text.strip("%") in one for text in texts for one in found)
        else:
            hit = not texts.isdisjoint(found)
        return hit is not operator.startswith("!")

    return test


def compile_order(entity: Shape, given: Any, names: str) -> list[tuple[str, bool]]:
    """Keys to sort by, each with whether it falls."""
    order = []
    for name, direction in entries(given):
        classic = names == "classic"
        field = (
            entity.classic.get(name.upper())
            if classic
            else entity.find(name, original=names == "original") or entity.fields.get(name.lower())
        )
        if field is None or not field.key:
            if classic:
                continue
            raise invalid_argument(f"Invalid order: field '{name}' is not allowed in order")
        way = str(direction).upper()
        if way not in {"ASC", "DESC"} and not classic:
            raise invalid_argument(
                "Invalid order: allowed sort directions are ASC, DESC. "
                f"But got '{direction}' for field '{name}'"
            )
        order.append((field.key, way == "DESC"))
    return order
