"""What REST 3.0 asks of a list: select, filter, order, pagination [rest-v3.md]."""

import json
from collections.abc import Callable
from typing import Any

from local.portal.table import Row
from local.portal.v3_errors import V3Error, invalid, wrong_type
from local.portal.v3_view import BLANK, FIELDS, SORTED, value_of

Test = Callable[[Row], bool]
_OPERATORS = {"=", "!=", ">", ">=", "<", "<=", "in", "between"}
_LIMIT, _MOST = 50, 1000
_DEPTH = 20  # of conditions within conditions


def read_select(params: Row) -> list[str] | None:
    """Read the names of fields, nothing where none are asked for."""
    given = params.get("select")
    if given is None:
        return None
    if not isinstance(given, list):
        raise V3Error("INVALIDSELECTEXCEPTION", "Unable to recognize the selection")
    return [str(name) for name in given]


def put_in_order(rows: list[Row], given: Any) -> None:
    """Sort by one field or more; what has no value comes first."""
    order = given or {"id": "ASC"}
    ways = order.items() if isinstance(order, dict) else [("", "")]
    for name, way in reversed(ways):
        if name not in SORTED or str(way).upper() not in {"ASC", "DESC"}:
            text = f"Unable to recognize sorting parameter `{json.dumps(order)}`"
            raise V3Error("INVALIDORDEREXCEPTION", text)
        rows.sort(key=_key(name), reverse=str(way).upper() == "DESC")


def _key(name: str) -> Callable[[Row], tuple[bool, Any]]:
    def key(row: Row) -> tuple[bool, Any]:
        value = value_of(row, name)
        return value is not None, value or 0

    return key


def read_pages(given: Any) -> tuple[int, int]:
    """Read where to start and how many rows to give: by page or by offset."""
    numbers = given.values() if isinstance(given, dict) else ["x"] if given else []
    good = all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in numbers)
    given = given or {}
    if not good or not 0 < given.get("limit", _LIMIT) <= _MOST:
        text = f"Unable to recognize the pagination parameter `{json.dumps(given)}`"
        raise V3Error("INVALIDPAGINATIONEXCEPTION", text)
    limit = given.get("limit", _LIMIT)
    return given.get("offset", (max(given.get("page", 1), 1) - 1) * limit), limit


def read_filter(given: Any, *, either: bool = False, depth: int = 0) -> Test:
    """Build a test of a list of conditions, and of such lists that `logic` joins."""
    if not isinstance(given, list) or depth > _DEPTH:
        raise V3Error("INVALIDFILTEREXCEPTION", "Unable to recognize the filter")
    tests: list[Test] = []
    for one in given:
        if isinstance(one, dict):
            word = str(one.get("logic", "and")).lower()
            inner = one.get("conditions")
            tests.append(read_filter(inner, either=word == "or", depth=depth + 1))
        else:
            tests.append(_condition(one))
    return lambda row: (any if either else all)(test(row) for test in tests)


def _condition(given: Any) -> Test:
    """`[field, operator, value]` or `[field, value]`; tasks are filtered by their id alone."""
    match given:
        case [str(name), str(operator), value]:
            pass
        case [str(name), value]:
            operator = "in" if isinstance(value, list) else "="
        case _:
            raise V3Error("INVALIDFILTEREXCEPTION", "Unable to recognize the filter")
    if name not in FIELDS and name not in BLANK:
        text = f"Unknown field `{name}` for entity `TaskDto`"
        raise V3Error("UNKNOWNDTOPROPERTYEXCEPTION", text)
    if operator not in _OPERATORS:
        raise V3Error("UNKNOWNFILTEROPERATOREXCEPTION", f"Unknown operator `{operator}`")
    if name != "id":
        text = f"In DTO `TaskDto`, the `{name}` field requires the `Filterable` attribute"
        raise invalid((name, f"{text} for such a request"))
    numbers = value if isinstance(value, list) else [value]
    several = operator in {"in", "between"}
    if not all(isinstance(one, int) for one in numbers) or several is not isinstance(value, list):
        raise wrong_type(name, "int")
    return _test(operator, numbers)


def _test(operator: str, numbers: list[int]) -> Test:
    low, high = min(numbers, default=0), max(numbers, default=0)
    tests: dict[str, Callable[[int], bool]] = {
        "=": lambda one: one == low,
        "!=": lambda one: one != low,
        ">": lambda one: one > low,
        ">=": lambda one: one >= low,
        "<": lambda one: one < low,
        "<=": lambda one: one <= low,
        "in": lambda one: one in numbers,
        "between": lambda one: low <= one <= high,
    }
    test = tests[operator]
    return lambda row: test(row["id"])
