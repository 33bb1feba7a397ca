"""What the history has of a portal: it has no index by time, so the whole table is read, in parts.

Only what is asked for comes back from AWS, so the rows that do not matter take no memory.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from ops.past import Past
from ops.progress import Progress
from relay.aws_types import Item
from relay.history import PastChange
from relay.tracking.row import Key, Row

PARTS = 8  # that are read at once
PAGE_ROWS = 3000  # of 1 MB, about


def changes_between(past: Past, portal: str, since: float, until: float) -> list[PastChange]:
    """Return a portal's changes from one time (epoch s) to another, by time."""
    ask = {
        "FilterExpression": "#at BETWEEN :since AND :until AND begins_with(pk, :of)",
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": {
            ":since": {"N": f"{since:.3f}"},
            ":until": {"N": f"{until:.3f}"},
            ":of": {"S": f"{portal}/"},
        },
    }
    return sorted(_rows(past, ask, PastChange.of), key=lambda one: (one.at, one.change_id))


def last_versions_of(past: Past, rows: Sequence[Row]) -> list[int]:
    """Return the version of the last change of items of one kind, 1 of one that never changed.

    Few are asked for one by one; of many the whole history is read, in fewer requests.
    """
    if len(rows) * PAGE_ROWS > past.count():
        found = _last_versions(past, rows[0].key)
        return [found.get((row.key.id, row.born), 1) for row in rows]
    with ThreadPoolExecutor(PARTS) as threads:
        return list(threads.map(past.last_version, rows))


def _last_versions(past: Past, of_kind: Key) -> dict[tuple[int, str], int]:
    """Return the version of the last change of a kind's items, by an item's id and birth."""
    ask = {
        "ProjectionExpression": "pk, sk",
        "FilterExpression": "begins_with(pk, :of)",
        "ExpressionAttributeValues": {":of": {"S": f"{of_kind.portal}/{of_kind.entity}/"}},
        "ConsistentRead": True,
    }
    found: dict[tuple[int, str], int] = {}
    for pk, sk in _rows(past, ask, lambda row: (row["pk"]["S"], row["sk"]["S"])):
        born, _, version = sk.partition(".")
        item = int(pk.rpartition("/")[2]), born
        found[item] = max(found.get(item, 1), int(version))
    return found


def _rows[T](past: Past, ask: dict[str, Any], read: Callable[[Item], T]) -> Iterator[T]:
    """Return what is read from the rows that meet a Scan."""
    progress, total = Progress("changes read in the history"), past.count()
    looked_at = [0] * PARTS

    def part(number: int) -> list[T]:
        found: list[T] = []
        for rows, scanned in _pages(past, ask, number):
            found += map(read, rows)
            looked_at[number] += scanned
            progress.at(sum(looked_at), total)
        return found

    with ThreadPoolExecutor(PARTS) as threads:
        return chain.from_iterable(list(threads.map(part, range(PARTS))))


def _pages(past: Past, ask: dict[str, Any], part: int) -> Iterator[tuple[list[Item], int]]:
    ask = ask | {"TableName": past.history_table, "Segment": part, "TotalSegments": PARTS}
    while True:
        answer = past.dynamodb.scan(**ask)
        yield answer["Items"], answer["ScannedCount"]
        if "LastEvaluatedKey" not in answer:
            return
        ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
