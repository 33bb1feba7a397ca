"""The last known state of every item, in DynamoDB; the rule of writing it is proven.

A reading begins with `bases`, before the portal is asked; `put` writes its row if nobody has
written meanwhile. No clock takes part. DESIGN 3.1 names the simplifications that are wrong.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched

from relay.aws_types import Client, Item
from relay.errors import ConditionFailedError, NewerFormatError, StateError
from relay.state_table import conditional
from relay.tracking.mirror_rows import error_of, read_rows
from relay.tracking.projection import FORMAT
from relay.tracking.row import ITEM, MOST_ID, UNREADABLE, Key, Row, RowHead
from relay.tracking.steps import StepLog

THREADS = 16  # the client's max_pool_connections must not be less
BATCH = 100  # BatchGetItem's limit
_HEAD = {
    "ProjectionExpression": "pk, id, seq, born, kind, added, updated, read_at, step_log, row_count"
    ", links, #format",
    "ExpressionAttributeNames": {"#format": "format"},
}
_UNREADABLE = "SET seq = :seq, kind = :kind, read_at = :read, via = :via"


def needs_another_reading(stored: Row, first_seq: int, row: Row, *, added: bool) -> bool:
    """Say whether an item whose `row` met a conflict must be read once more.

    `stored` is the row that it met, `first_seq` that row's `seq` when the hint was taken up;
    `added` says that the hint is of an ADD event.
    """
    if added and row.kind == ITEM and stored.open:
        return True  # nobody else announces the item as added
    if stored.seq >= first_seq + 2:
        return False  # another reader began after our hint came
    same = (stored.kind, stored.format) == (row.kind, row.format)
    if not same or row.kind == UNREADABLE:
        return not same
    log = stored.step_log or StepLog()
    if not all(log.has(step.id) for step in row.steps):
        return True  # nobody else announces these steps
    return (stored.text, stored.extra) != (row.text, row.extra)


class Mirror:
    """One table; every method is a coroutine whose requests run in threads."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table
        self._threads = ThreadPoolExecutor(THREADS, "mirror")
        self.alone = False  # whether its portal is the stack's only one

    async def bases(self, keys: Sequence[Key]) -> dict[Key, RowHead | Exception]:
        """Return where the reading of each item starts from, or the error that hides it.

        An invalid key, and a request that fails, cost their own items only.
        """
        rows = await self._get(keys, consistent=True)
        return {key: _base(key, rows.get(key, {})) for key in keys}

    async def heads(self, keys: Sequence[Key]) -> dict[Key, RowHead]:
        """Return the heads of the rows that there are; raises the first error."""
        heads = {}
        for key, row in (await self._get(keys, consistent=False)).items():
            if isinstance(row, Exception):
                raise row
            heads[key] = RowHead.of(row)
        return heads

    async def range(
        self, portal: str, entity: str, low: int, high: int | None
    ) -> AsyncIterator[dict[Key, RowHead]]:
        """Yield the heads of the rows with ids above `low`, up to `high`, page by page."""
        ask = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND id BETWEEN :low AND :high",
            "ExpressionAttributeValues": {
                ":pk": {"S": f"{portal}/{entity}"},
                ":low": {"N": str(low + 1)},
                ":high": {"N": str(MOST_ID if high is None else high)},
            },
            **_HEAD,
        }
        while True:
            answer = await self._run(lambda: self._client.query(**ask))
            if answer["Items"]:
                yield {Key.of(row): RowHead.of(row) for row in answer["Items"]}
            if "LastEvaluatedKey" not in answer:
                return
            ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def put(self, rows: Sequence[Row]) -> list[Row | Exception | None]:
        """Write rows on the versions before them; returns None, the conflict's row or the error."""
        return list(await asyncio.gather(*(self._run(self.put_one, row) for row in rows)))

    def put_one(self, row: Row) -> Row | Exception | None:
        """Write one row; returns the same as `put`."""
        try:
            with conditional():
                if row.kind == UNREADABLE and row.seq > 1:
                    self._set_unreadable(row)
                else:
                    self._put_row(row)
        except ConditionFailedError as conflict:
            if conflict.item is None:
                return StateError(f"the row of {row.key} was removed meanwhile")
            return Row.of(conflict.item)
        except Exception as error:  # noqa: BLE001  each reading fails alone, its hint comes back
            return error_of(row.key, error)
        return None

    def _put_row(self, row: Row) -> None:
        condition: dict[str, object] = {"ConditionExpression": "attribute_not_exists(seq)"}
        if row.seq > 1:
            condition = {
                "ConditionExpression": "seq = :base",
                "ExpressionAttributeValues": {":base": {"N": str(row.seq - 1)}},
            }
        self._client.put_item(
            TableName=self._table,
            Item=row.to_item() | ({"alone": {"S": "yes"}} if self.alone else {}),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **condition,
        )

    def _set_unreadable(self, row: Row) -> None:
        """Mark a row as unreadable; its content stays, and it stays open."""
        self._client.update_item(
            TableName=self._table,
            Key=row.key.to_item(),
            UpdateExpression=_UNREADABLE,
            ConditionExpression="seq = :base",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ExpressionAttributeValues={
                ":base": {"N": str(row.seq - 1)},
                ":seq": {"N": str(row.seq)},
                ":kind": {"S": UNREADABLE},
                ":read": {"N": f"{row.read_at:.3f}"},
                ":via": {"S": row.via},
            },
        )

    async def _run[*A, T](self, function: Callable[[*A], T], *arguments: *A) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, *arguments)

    async def _get(self, keys: Sequence[Key], *, consistent: bool) -> dict[Key, Item | Exception]:
        ask = {**_HEAD, "ConsistentRead": consistent}
        pages = await asyncio.gather(
            *(
                self._run(read_rows, self._client, self._table, list(page), ask)
                for page in batched(dict.fromkeys(keys), BATCH, strict=False)
            )
        )
        return {key: row for page in pages for key, row in page.items()}


def _base(key: Key, row: Item | Exception) -> RowHead | Exception:
    if isinstance(row, Exception):
        return row
    if not row:
        return RowHead()
    number = int(row["format"]["N"])
    if number > FORMAT:
        return NewerFormatError(f"{key} has format {number}, this code knows {FORMAT}")
    return RowHead.of(row)
