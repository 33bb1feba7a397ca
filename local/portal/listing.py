"""Pages of 50: offsets with a total, or `start=-1` without counting [huge-data.md]."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from local.portal.php import entries, int_or_none, values_of
from local.portal.table import Row, Table

PAGE = 50
Predicate = Callable[[Row], bool]


@dataclass(slots=True)
class Page:
    """What a list method answers: `total` and `next` stand beside `result`."""

    result: Any
    total: int
    next: int | None = None


def read_start(value: Any) -> int:
    """The offset; -1 switches counting off."""
    text = str(value if value is not None else 0)
    if text == "-1":
        return -1
    return int_or_none(text) or 0


def candidates(
    table: Table, given: Any, order: list[tuple[str, bool]]
) -> tuple[Iterator[Row], bool]:
    """Rows that can match by what the filter says of `id`, and whether they are in order."""
    above: int | None = None
    below: int | None = None
    for name, value in entries(given):
        operator, key = name.rstrip("IDid"), name.lstrip("<>=@!%")
        if key.upper() != "ID":
            continue
        if operator in {"@", "", "="}:
            numbers = {int_or_none(entry) for entry in values_of(value)}
            found = sorted(number for number in numbers if number is not None)
            rows = [row for number in found if (row := table.get(number)) is not None]
            return iter(rows), not order or order == [("id", False)]
        number = int_or_none(value)
        if number is not None and operator == ">":
            above = number
        elif number is not None and operator == "<":
            below = number
    if order and order[0] == ("id", True):
        return table.walk_back(above=above, below=below), True
    return table.walk(above=above, below=below), not order or order[0][0] == "id"


def cut(
    rows: Iterable[Row],
    order: list[tuple[str, bool]],
    start: int,
    *,
    ordered: bool,
    size: int = PAGE,
) -> Page:
    """Sort where needed, count unless told not to, and cut one page out."""
    if not ordered:
        rows = _sorted(rows, order)
    if start == -1:
        return Page(list(islice(rows, size)), 0)
    found = list(rows)
    more = start + size < len(found)
    return Page(found[start : start + size], len(found), start + size if more else None)


def _sorted(rows: Iterable[Row], order: list[tuple[str, bool]]) -> list[Row]:
    found = list(rows)
    for key, falling in reversed(order):
        found.sort(key=lambda row: _rank(row.get(key)), reverse=falling)
    return found


def _rank(value: Any) -> tuple[int, Any]:
    """Empty first, as a database sorts them; kinds never meet in one comparison."""
    if value is None or value == "":
        return (0, 0)
    if isinstance(value, bool | int | float):
        return (1, value)
    return (2, str(value).casefold())
