"""Rows by id, kept in the order of their ids, so that paging by id needs no scan."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]


class Table:
    """Rows of one kind. `last_id` never goes back: an id is not used twice."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.ids: list[int] = []
        self.last_id = 0

    def next_id(self) -> int:
        """Reserve the id of a new row."""
        self.last_id += 1
        return self.last_id

    def put(self, number: int, row: Row) -> None:
        """Add a row or replace it."""
        if number not in self.rows:
            if self.ids and number < self.ids[-1]:
                insort(self.ids, number)
            else:
                self.ids.append(number)
        self.last_id = max(self.last_id, number)
        self.rows[number] = row

    def get(self, number: int) -> Row | None:
        """One row."""
        return self.rows.get(number)

    def pop(self, number: int) -> Row | None:
        """Take a row out."""
        row = self.rows.pop(number, None)
        if row is not None:
            del self.ids[bisect_left(self.ids, number)]
        return row

    def __len__(self) -> int:
        return len(self.ids)

    def walk(self, *, above: int | None = None, below: int | None = None) -> Iterator[Row]:
        """Rows by id, exclusive bounds."""
        first = 0 if above is None else bisect_right(self.ids, above)
        last = len(self.ids) if below is None else bisect_left(self.ids, below)
        for index in range(first, last):
            yield self.rows[self.ids[index]]

    def walk_back(self, *, above: int | None = None, below: int | None = None) -> Iterator[Row]:
        """Rows by falling id, exclusive bounds."""
        first = 0 if above is None else bisect_right(self.ids, above)
        last = len(self.ids) if below is None else bisect_left(self.ids, below)
        for index in range(last - 1, first - 1, -1):
            yield self.rows[self.ids[index]]
