"""The last known state of every item, in DynamoDB; the rule of writing it is proven.

A reading begins with `bases`, before the portal is asked; `put` writes what it saw, if nobody has
written meanwhile. No clock takes part. DESIGN 3.1 names the simplifications that are wrong.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

from botocore.exceptions import ClientError

from relay.errors import ConditionFailedError, NewerFormatError, RowError, StateError
from relay.state_table import conditional
from relay.tracking.projection import FORMAT
from relay.tracking.row import (
    ITEM,
    MOST_ID,
    OPEN,
    UNREADABLE,
    Base,
    Key,
    Reading,
    Row,
    RowSummary,
    to_item,
)

THREADS = 16  # the client's max_pool_connections must not be less
BATCH = 100  # BatchGetItem's limit
ROUNDS = 8  # of what DynamoDB had no capacity for, at most 0.05 * 2**6 s apart
_NEVER = "ValidationException"
_BASE = "pk, id, seq, born, kind, quiet, added, #format"
_MARK = "SET seq = :seq, kind = :kind, read_at = :read, via = :via, quiet = :no"
_KNOWN = "pk, id, kind, updated, read_at"


def verdict(old: Row, first_base: int, look: Reading) -> str:
    """Say what a reading does that met a conflict: it is `done`, or must `look again`."""
    if look.added and look.kind == ITEM and old.open:
        return "look again"  # nobody else announces what was added
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

    async def bases(self, keys: Sequence[Key]) -> dict[Key, Base | Exception]:
        """Return where the reading of each item starts from, or why that can't be said.

        A key that the table refuses, and a request that fails, cost their own items only.
        """
        found = await self._get(keys, _BASE, consistent=True, names={"#format": "format"})
        return {key: _base(key, found.get(key, {})) for key in keys}

    async def known(self, keys: Sequence[Key]) -> dict[Key, RowSummary]:
        """Return what the mirror knows of these items, where there are rows."""
        found = await self._get(keys, _KNOWN, consistent=False, names={})
        for item in found.values():
            if isinstance(item, Exception):
                raise item
        return {key: RowSummary.of(item) for key, item in found.items() if isinstance(item, dict)}

    async def put(self, looks: Sequence[tuple[Reading, Base]]) -> list[Row | Exception | None]:
        """Write what was seen: None where it was written, the row that was there on a conflict."""
        running = (self._run(self.put_one, look, base) for look, base in looks)
        return list(await asyncio.gather(*running))

    async def _run[*A, T](self, function: Callable[[*A], T], *arguments: *A) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, *arguments)

    def put_one(self, look: Reading, base: Base) -> Row | Exception | None:
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
            with conditional():
                if look.kind == UNREADABLE and base.seq:
                    self._mark(look, base)
                else:
                    self._client.put_item(
                        TableName=self._table,
                        Item=item,
                        ReturnValuesOnConditionCheckFailure="ALL_OLD",
                        **condition,
                    )
        except ConditionFailedError as refusal:
            return Row.of(refusal.item) if refusal.item else refusal
        except Exception as error:  # noqa: BLE001  each reading fails alone, its hint comes back
            return _row_error(look.key, error) or error
        return None

    def _mark(self, look: Reading, base: Base) -> None:
        """Mark a row unreadable and leave its content: it is still what was last known."""
        self._client.update_item(
            TableName=self._table,
            Key=look.key.to_item(),
            UpdateExpression=_MARK + ", added = :open" * base.open,
            ConditionExpression="seq = :base",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ExpressionAttributeValues={
                ":base": {"N": str(base.seq)},
                ":seq": {"N": str(base.seq + 1)},
                ":kind": {"S": UNREADABLE},
                ":read": {"N": f"{look.read_at:.3f}"},
                ":via": {"S": look.via},
                ":no": {"S": "no"},
            }
            | ({":open": {"S": OPEN}} if base.open else {}),
        )

    async def range(
        self, portal: str, entity: str, low: int, high: int | None
    ) -> AsyncIterator[dict[Key, RowSummary]]:
        """Yield what the mirror knows of the items above `low`, up to `high`, page by page."""
        ask = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND id BETWEEN :low AND :high",
            "ExpressionAttributeValues": {
                ":pk": {"S": f"{portal}/{entity}"},
                ":low": {"N": str(low + 1)},
                ":high": {"N": str(MOST_ID if high is None else high)},
            },
            "ProjectionExpression": _KNOWN,
        }
        while True:
            answer = await self._run(lambda: self._client.query(**ask))
            if answer["Items"]:
                yield {Key.of(item): RowSummary.of(item) for item in answer["Items"]}
            if "LastEvaluatedKey" not in answer:
                return
            ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _get(
        self, keys: Sequence[Key], fields: str, *, consistent: bool, names: dict[str, str]
    ) -> dict[Key, dict[str, Any] | Exception]:
        ask: dict[str, Any] = {"ProjectionExpression": fields, "ConsistentRead": consistent}
        if names:
            ask["ExpressionAttributeNames"] = names
        pages = await asyncio.gather(
            *(
                self._run(self._get_page, list(page), ask)
                for page in batched(dict.fromkeys(keys), BATCH, strict=False)
            )
        )
        return {key: item for page in pages for key, item in page.items()}

    def _get_page(
        self, keys: list[Key], ask: dict[str, Any]
    ) -> dict[Key, dict[str, Any] | Exception]:
        """Return the rows of a page, and an error for each key whose row can't be had."""
        try:
            return {Key.of(item): item for item in self._ask(keys, ask)}
        except Exception as error:  # noqa: BLE001  other pages go on
            if len(keys) == 1 or not _row_error(keys[0], error):
                return {key: _row_error(key, error) or error for key in keys}
        # DynamoDB names neither the key nor its place: halving finds one in 100 in 7 steps.
        half = len(keys) // 2
        return self._get_page(keys[:half], ask) | self._get_page(keys[half:], ask)

    def _ask(self, keys: list[Key], ask: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        wanted: dict[str, Any] = {self._table: ask | {"Keys": [key.to_item() for key in keys]}}
        for attempt in range(ROUNDS):
            if attempt:
                time.sleep(0.05 * 2 ** (attempt - 1))
            answer = self._client.batch_get_item(RequestItems=wanted)
            found += answer["Responses"].get(self._table, [])
            wanted = answer.get("UnprocessedKeys") or {}
            if not wanted:
                return found
        raise StateError(f"{self._table} had no capacity for {len(keys)} rows")


def _base(key: Key, item: dict[str, Any] | Exception) -> Base | Exception:
    if isinstance(item, Exception):
        return item
    if not item:
        return Base()
    number = int(item["format"]["N"])
    if number > FORMAT:
        return NewerFormatError(f"{key} has format {number}, this code knows {FORMAT}")
    return Base.of(item)


def _row_error(key: Key, error: Exception) -> RowError | None:
    """Return the error of a row that the table will never take; None for any other error."""
    if not isinstance(error, ClientError) or error.response["Error"]["Code"] != _NEVER:
        return None
    return RowError(f"{key.portal}/{key.entity}/{key.id}: {error}")
