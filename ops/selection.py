"""The history's changes of a time: the whole table is read, in parts at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from ops.past import Past
from ops.progress import Progress
from relay.aws_types import Item
from relay.history import PastChange

PARTS = 8  # that are read at once


def changes_between(past: Past, portal: str, since: float, until: float) -> list[PastChange]:
    """Return a portal's changes from one time (epoch s) to another, by time."""
    progress = Progress("changes read in the history")
    read = 0

    def part(number: int) -> list[PastChange]:
        nonlocal read
        found: list[PastChange] = []
        for rows, scanned in _pages(past, portal, since, until, number):
            found += map(PastChange.of, rows)
            read += scanned
            progress.at(read)
        return found

    with ThreadPoolExecutor(PARTS) as threads:
        changes = chain.from_iterable(threads.map(part, range(PARTS)))
        return sorted(changes, key=lambda one: (one.at, one.change_id))


def _pages(
    past: Past, portal: str, since: float, until: float, part: int
) -> Iterator[tuple[list[Item], int]]:
    ask = {
        "TableName": past.history_table,
        "Segment": part,
        "TotalSegments": PARTS,
        "FilterExpression": "#at BETWEEN :since AND :until AND begins_with(pk, :portal)",
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": {
            ":since": {"N": f"{since:.3f}"},
            ":until": {"N": f"{until:.3f}"},
            ":portal": {"S": f"{portal}/"},
        },
    }
    while True:
        answer = past.dynamodb.scan(**ask)
        yield answer["Items"], answer["ScannedCount"]
        if "LastEvaluatedKey" not in answer:
            return
        ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
