"""The last known state of every item, in DynamoDB; the rule of writing it is proven.

A reading begins with `bases`, before the portal is asked; `put` writes the reading if nobody has
written meanwhile. No clock takes part. DESIGN 3.1 names the simplifications that are wrong.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched

from relay.aws_types import Client, Item
from relay.errors import ConditionFailedError, NewerFormatError, StateError
from relay.state_table import conditional
from relay.tracking.mirror_rows import error_of, read_rows
from relay.tracking.projection import FORMAT
from relay.tracking.reading import Reading, to_item
from relay.tracking.row import ITEM, MOST_ID, UNREADABLE, Key, Row, RowHead
from relay.tracking.steps import StepLog

THREADS = 16  # the client's max_pool_connections must not be less
BATCH = 100  # BatchGetItem's limit
_HEAD = {
    "ProjectionExpression": "pk, id, seq, born, kind, added, updated, read_at, step_log, row_count"
    ", #format",
    "ExpressionAttributeNames": {"#format": "format"},
}
_UNREADABLE = "SET seq = :seq, kind = :kind, read_at = :read, via = :via, quiet = :no"


def needs_another_reading(stored: Row, first_seq: int, reading: Reading) -> bool:
    """Say whether a reading that met a conflict must be made once more.

    `stored` is the row that it met, `first_seq` the row's `seq` when its hint was taken up.
    """
    if reading.added and reading.kind == ITEM and stored.open:
        return True  # nobody else announces the item as added
    if stored.seq >= first_seq + 2:
        return False  # another reader began after our hint came
    same = stored.kind == reading.kind and stored.format == FORMAT
    if not same or reading.kind == UNREADABLE:
        return not same
    told = stored.step_log or StepLog()
    if not all(told.has(step.id) for step in reading.steps):
        return True  # nobody else tells these steps
    return (stored.text, stored.extra) != (reading.text, reading.extra)


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

    async def put(
        self, readings: Sequence[tuple[Reading, RowHead]]
    ) -> list[Row | Exception | None]:
        """Write readings on their bases; returns for each None, a conflict's row, or its error."""
        running = (self._run(self.put_one, reading, base) for reading, base in readings)
        return list(await asyncio.gather(*running))

    def put_one(self, reading: Reading, base: RowHead) -> Row | Exception | None:
        """Write one reading; returns the same as `put`."""
        try:
            with conditional():
                if reading.kind == UNREADABLE and base.seq:
                    self._set_unreadable(reading, base)
                else:
                    self._put_row(reading, base)
        except ConditionFailedError as conflict:
            if conflict.item is None:
                return StateError(f"the row of {reading.key} was removed meanwhile")
            return Row.of(conflict.item)
        except Exception as error:  # noqa: BLE001  each reading fails alone, its hint comes back
            return error_of(reading.key, error)
        return None

    def _put_row(self, reading: Reading, base: RowHead) -> None:
        # Only a new row is born; the random part keeps apart two mirrors made in one millisecond.
        born = f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(2)}"
        condition: dict[str, object] = {"ConditionExpression": "attribute_not_exists(seq)"}
        if base.seq:
            condition = {
                "ConditionExpression": "seq = :base",
                "ExpressionAttributeValues": {":base": {"N": str(base.seq)}},
            }
        self._client.put_item(
            TableName=self._table,
            Item=to_item(reading, base, born) | ({"alone": {"S": "yes"}} if self.alone else {}),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **condition,
        )

    def _set_unreadable(self, reading: Reading, base: RowHead) -> None:
        """Mark a row as unreadable; its content stays, and it stays open."""
        self._client.update_item(
            TableName=self._table,
            Key=reading.key.to_item(),
            UpdateExpression=_UNREADABLE,
            ConditionExpression="seq = :base",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ExpressionAttributeValues={
                ":base": {"N": str(base.seq)},
                ":seq": {"N": str(base.seq + 1)},
                ":kind": {"S": UNREADABLE},
                ":read": {"N": f"{reading.read_at:.3f}"},
                ":via": {"S": reading.via},
                ":no": {"S": "no"},
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
