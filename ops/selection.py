"""What the history has of a portal: it has no index by time, so the whole table is read, in parts.

Only what is asked for comes back from AWS, so the rows that do not matter take no memory.
"""

from collections.abc import Iterator, Sequence
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
MOST_CHANGES = 200_000  # since a time: they take 2 GB of memory


def changes_between(past: Past, portal: str, since: float, until: float) -> list[PastChange]:
    """Return a portal's changes from one time (epoch s) to another, by time; exits at too many."""
    ask = {
        "FilterExpression": "#at BETWEEN :since AND :until AND begins_with(pk, :of)",
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": {
            ":since": {"N": f"{since:.3f}"},
            ":until": {"N": f"{until:.3f}"},
            ":of": {"S": f"{portal}/"},
        },
    }
    found: list[PastChange] = []
    for rows in _pages(past, ask):
        found += map(PastChange.of, rows)
        if len(found) > MOST_CHANGES:
            raise SystemExit(
                f"there are more than {MOST_CHANGES} changes since then, which take more "
                "memory than a command should: take a later SINCE"
            )
    return sorted(found, key=lambda one: (one.at, one.change_id))


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
    for row in chain.from_iterable(_pages(past, ask)):
        born, _, version = row["sk"]["S"].partition(".")
        item = int(row["pk"]["S"].rpartition("/")[2]), born
        found[item] = max(found.get(item, 1), int(version))
    return found


def _pages(past: Past, ask: dict[str, Any]) -> Iterator[list[Item]]:
    """Yield the rows that meet a Scan, a page of each part at once."""
    progress, total, looked_at = Progress("changes read in the history"), past.count(), 0
    ask |= {"TableName": past.history_table, "TotalSegments": PARTS}
    parts = [ask | {"Segment": number} for number in range(PARTS)]
    with ThreadPoolExecutor(PARTS) as threads:
        while parts:
            answers = list(threads.map(lambda part: past.dynamodb.scan(**part), parts))
            for answer in answers:
                looked_at += answer["ScannedCount"]
                yield answer["Items"]
            progress.at(looked_at, total)
            parts = [
                part | {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
                for part, answer in zip(parts, answers, strict=True)
                if "LastEvaluatedKey" in answer
            ]
