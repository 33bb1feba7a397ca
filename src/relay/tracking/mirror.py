"""The last known state of every item, in DynamoDB; the rule of writing it is proven.

A reading begins with `bases`, before the portal is asked; `put` writes what it saw, if nobody has
written meanwhile. No clock takes part. DESIGN 3.1 names the simplifications that are wrong.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

from botocore.exceptions import ClientError

from relay.errors import StateError
from relay.tracking.projection import FORMAT
from relay.tracking.row import UNREADABLE, Base, Key, Known, Look, NewerFormatError, Row, to_item

THREADS = 16  # the client's max_pool_connections must not be less
BATCH = 100  # BatchGetItem's limit
ROUNDS = 8  # of what DynamoDB had no capacity for, at most 0.05 * 2**7 s apart
_BASE = "pk, id, seq, born, kind, #format"
_MARK = "SET seq = :seq, kind = :kind, read_at = :read, via = :via, quiet = :no"
_KNOWN = "pk, id, kind, updated, read_at"


def verdict(old: Row, first_base: int, look: Look) -> str:
    """Say what a reading does that met a conflict: it is `done`, or must `look again`."""
    if old.seq >= first_base + 2:
        return "done"  # somebody began and read after our hint came
    same = old.kind == look.kind and (look.kind == UNREADABLE or old.text == look.text)
    return "done" if same and old.format == FORMAT else "look again"


class Mirror:
    """One table; every method is a coroutine whose requests run in threads."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table
        self._threads = ThreadPoolExecutor(THREADS, "mirror")

    async def bases(self, keys: Sequence[Key]) -> dict[Key, Base | NewerFormatError]:
        """Return where the readings of these items start from."""
        found: dict[Key, Base | NewerFormatError] = {}
        for item in await self._get(keys, _BASE, consistent=True, names={"#format": "format"}):
            key, number = Key.of(item), int(item["format"]["N"])
            found[key] = (
                Base(int(item["seq"]["N"]), item["born"]["S"], item["kind"]["S"])
                if number <= FORMAT
                else NewerFormatError(f"{key} has format {number}, this code knows {FORMAT}")
            )
        return {key: found.get(key, Base()) for key in keys}

    async def known(self, keys: Sequence[Key]) -> dict[Key, Known]:
        """Return what the mirror knows of these items, where there are rows."""
        items = await self._get(keys, _KNOWN, consistent=False, names={})
        return {Key.of(item): Known.of(item) for item in items}

    async def put(self, looks: Sequence[tuple[Look, Base]]) -> list[Row | Exception | None]:
        """Write what was seen: None where it was written, the row that was there on a conflict."""
        running = (self._run(self.put_one, look, base) for look, base in looks)
        return list(await asyncio.gather(*running))

    async def _run[*A, T](self, function: Callable[[*A], T], *arguments: *A) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, *arguments)

    def put_one(self, look: Look, base: Base) -> Row | Exception | None:
        """Write one reading."""
        # Only a new row is born; the random part keeps apart two mirrors made in one millisecond.
        born = f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(2)}"
        item = to_item(look, base, born)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(seq)"}
        if base.seq:
            condition = {
                "ConditionExpression": "seq = :base",
                "ExpressionAttributeValues": {":base": {"N": str(base.seq)}},
            }
        try:
            if look.kind == UNREADABLE and base.seq:
                self._mark(look, base)
            else:
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
        except Exception as error:  # noqa: BLE001  each reading fails alone, its hint comes back
            if isinstance(error, ClientError) and "Item" in error.response:
                return Row.of(error.response["Item"])
            return error
        return None

    def _mark(self, look: Look, base: Base) -> None:
        """Mark a row unreadable and leave its content: it is still what was last known."""
        self._client.update_item(
            TableName=self._table,
            Key=look.key.to_item(),
            UpdateExpression=_MARK,
            ConditionExpression="seq = :base",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ExpressionAttributeValues={
                ":base": {"N": str(base.seq)},
                ":seq": {"N": str(base.seq + 1)},
                ":kind": {"S": UNREADABLE},
                ":read": {"N": f"{look.read_at:.3f}"},
                ":via": {"S": look.via},
                ":no": {"S": "no"},
            },
        )

    async def range(self, portal: str, entity: str, low: int, high: int | None) -> dict[Key, Known]:
        """Return what the mirror knows of the items above `low`, up to `high`."""
        upto = 10**30 if high is None else high
        rows = self._query(
            portal,
            entity,
            " AND id BETWEEN :low AND :high",
            {":low": {"N": str(low + 1)}, ":high": {"N": str(upto)}},
        )
        return await self._run(lambda: {Key.of(item): Known.of(item) for item in rows})

    def _query(
        self, portal: str, entity: str, more: str, values: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        ask = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk" + more,
            "ExpressionAttributeValues": {":pk": {"S": f"{portal}/{entity}"}} | values,
            "ProjectionExpression": _KNOWN,
        }
        while True:
            answer = self._client.query(**ask)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _get(
        self, keys: Sequence[Key], fields: str, *, consistent: bool, names: dict[str, str]
    ) -> list[dict[str, Any]]:
        ask: dict[str, Any] = {"ProjectionExpression": fields, "ConsistentRead": consistent}
        if names:
            ask["ExpressionAttributeNames"] = names
        pages = await asyncio.gather(
            *(
                self._run(self._get_page, list(page), ask)
                for page in batched(dict.fromkeys(keys), BATCH, strict=False)
            )
        )
        return [item for page in pages for item in page]

    def _get_page(self, keys: list[Key], ask: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        wanted: dict[str, Any] = {self._table: ask | {"Keys": [key.to_item() for key in keys]}}
        for attempt in range(ROUNDS):
            answer = self._client.batch_get_item(RequestItems=wanted)
            found += answer["Responses"].get(self._table, [])
            wanted = answer.get("UnprocessedKeys") or {}
            if not wanted:
                return found
            time.sleep(0.05 * 2**attempt)
        raise StateError(f"{self._table} had no capacity for {len(keys)} rows")
