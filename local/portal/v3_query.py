"""What REST 3.0 asks of a list: select, filter, order, pagination [rest-v3.md]."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from local.portal.table import Row
from local.portal.v3_errors import DATA_V3, V3Error, check_type, invalid, unknown_field, wrong_type

Test = Callable[[Row], bool]
_COMPARE = {"=": eq, "!=": ne, ">": gt, ">=": ge, "<": lt, "<=": le}
_OPERATORS = {*_COMPARE, "in", "between"}
_LIMIT, _MOST = 50, 1000
_DEPTH = 20  # of conditions within conditions


@dataclass(slots=True)
class Dto:
    """A kind of record, as `data/v3.toml` has it: keys, types and marks by names of fields."""

    name: str
    value_of: Callable[[Row, str], Any]
    keys: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for line in DATA_V3[self.name]["fields"].strip().splitlines():
            names, kind, marks = (*line.split(), "")[:3]
            name, _, key = names.partition(":")
            self.keys[name], self.types[name], self.marks[name] = key or name, kind, marks

    def described(self) -> list[str]:
        """Return lines for `field_methods`; times are objects there."""
        kinds = {name: kind.replace("datetime", "object") for name, kind in self.types.items()}
        return [f"{name} {kind} {self.marks.get(name, '')}" for name, kind in kinds.items()]


def read_select(params: Row) -> list[str] | None:
    """Read the names of fields, nothing where none are asked for."""
    given = params.get("select")
    if given is None:
        return None
    if not isinstance(given, list):
        text = f"Unable to recognize select expression `{json.dumps(given)}`"
        raise V3Error("INVALIDSELECTEXCEPTION", text)
    return [str(name) for name in given]


def selected(row: Row, select: list[str] | None) -> Row:
    """Cut a record down to the names that are asked for."""
    return {name: value for name, value in row.items() if name in (select or row)}


def put_in_order(dto: Dto, rows: list[Row], given: Any) -> None:
    """Sort by one field or more; what has no value comes first."""
    order = given or {"id": "ASC"}
    ways = order.items() if isinstance(order, dict) else [("", "")]
    for name, way in reversed(ways):
        if "s" not in dto.marks.get(name, "") or str(way).upper() not in {"ASC", "DESC"}:
            text = f"Unable to recognize sorting parameter `{json.dumps(order)}`"
            raise V3Error("INVALIDORDEREXCEPTION", text)
        rows.sort(key=_key(dto, name), reverse=str(way).upper() == "DESC")


def _key(dto: Dto, name: str) -> Callable[[Row], tuple[bool, Any]]:
    def key(row: Row) -> tuple[bool, Any]:
        value = dto.value_of(row, name)
        return value is not None, value or 0

    return key


def read_pages(given: Any) -> tuple[int, int]:
    """Read where to start and how many rows to give: by page or by offset."""
    numbers = given.values() if isinstance(given, dict) else ["x"] if given else []
    good = all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in numbers)
    given = given or {}
    if not good or not 0 < given.get("limit", _LIMIT) <= _MOST:
        text = f"Unable to recognize pagination parameter `{json.dumps(given)}`"
        raise V3Error("INVALIDPAGINATIONEXCEPTION", text)
    limit = given.get("limit", _LIMIT)
    return given.get("offset", (max(given.get("page", 1), 1) - 1) * limit), limit


def read_list(dto: Dto, params: Row, rows: Iterable[Row]) -> list[Row]:
    """Rows that a request asks for: its filter, its order, its page."""
    test = read_filter(dto, params.get("filter") or [])
    start, limit = read_pages(params.get("pagination"))
    found = [row for row in rows if test(row)]
    put_in_order(dto, found, params.get("order"))
    return found[start : start + limit]


def read_filter(dto: Dto, given: Any, *, either: bool = False, depth: int = 0) -> Test:
    """Build a test of a list of conditions, and of such lists that `logic` joins."""
    if not isinstance(given, list) or depth > _DEPTH:
        raise bad_filter(given)
    tests: list[Test] = []
    for one in given:
        if isinstance(one, dict):
            word = str(one.get("logic", "and")).lower()
            inner = one.get("conditions")
            tests.append(read_filter(dto, inner, either=word == "or", depth=depth + 1))
        else:
            tests.append(_condition(dto, one))
    return lambda row: (any if either else all)(test(row) for test in tests)


def bad_filter(given: Any) -> V3Error:
    """A filter that can't be read."""
    text = f"Unable to recognize filter expression `{json.dumps(given)}`"
    return V3Error("INVALIDFILTEREXCEPTION", text)


def _condition(dto: Dto, given: Any) -> Test:
    """`[field, operator, value]` or `[field, value]`."""
    match given:
        case [str(name), str(operator), value]:
            pass
        case [str(name), value]:
            operator = "in" if isinstance(value, list) else "="
        case _:
            raise bad_filter(given)
    if name not in dto.types:
        raise unknown_field(name, dto.name)
    if operator not in _OPERATORS:
        raise V3Error("UNKNOWNFILTEROPERATOREXCEPTION", f"Unknown operator `{operator}`")
    if "f" not in dto.marks.get(name, ""):
        text = f"In DTO `{dto.name}`, the `{name}` field requires the `Filterable` attribute"
        raise invalid((name, f"{text} for such a request"))
    if (operator in {"in", "between"}) is not isinstance(value, list):
        raise wrong_type(name, dto.types[name])
    wanted = [
        _comparable(dto, name, one) for one in (value if isinstance(value, list) else [value])
    ]
    return _test(dto, name, operator, wanted)


def _comparable(dto: Dto, name: str, value: Any) -> Any:
    """A value as its field compares: a number, a text, or seconds since 1970."""
    kind = dto.types[name]
    if kind == "datetime" and isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            raise wrong_type(name, kind) from None
    check_type(name, "int" if kind == "int" else "string", value)
    return value


def _test(dto: Dto, name: str, operator: str, wanted: list[Any]) -> Test:
    low, high = min(wanted, default=0), max(wanted, default=0)
    tests: dict[str, Callable[[Any], bool]] = {
        "in": lambda one: one in wanted,
        "between": lambda one: low <= one <= high,
    }
    test = tests.get(operator) or (lambda one: bool(_COMPARE[operator](one, low)))

    def holds(row: Row) -> bool:
        value = dto.value_of(row, name)
        if value is None:
            return operator == "!="
        return test(_comparable(dto, name, value))

    return holds
