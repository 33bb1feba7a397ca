"""Reads and writes of the State table, as many rows in a request as DynamoDB takes. All block.

Rows without a condition are put, 25 in a request. Rows with one are written one by one: a
transaction of many costs twice the units, which is more than the processor time of the requests.
Only a row that is stored under conditions on other rows is a transaction, of its own. One row that
is refused keeps no other row from being written.
"""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from relay.aws_types import Client, Item
from relay.errors import ConditionFailedError, RowError, StateError
from relay.state_table import conditional, key
from relay.state_writes import Condition, Errors, Put, Update, Write

READ, PUT = 100, 25  # DynamoDB's limits for one request
ATTEMPTS = 5
THREADS = 8  # of writes with a condition
_pause = time.sleep
_RETRIED = {"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_CONDITION_FAILED = "ConditionalCheckFailed"
_INVALID = "ValidationException"
_CONFLICT = "TransactionConflictException"  # boto3 does not repeat such a request
# "Item size has exceeded …", "Item size to update has …", "Size of hashkey has …".
_TOO_LARGE = re.compile("size .*has exceeded", re.IGNORECASE)


class StateRequests:
    """The State table through a DynamoDB client with short timeouts."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def load(self, keys: Iterable[str]) -> dict[str, Item]:
        """Return {key: row} of the keys that have a row, read consistently; raises StateError."""
        found: dict[str, Item] = {}
        for part in batched(sorted(set(keys)), READ, strict=False):
            ask = {self._table: {"Keys": [key(pk) for pk in part], "ConsistentRead": True}}
            for _ in _attempts("throttled"):
                try:
                    answer = self._client.batch_get_item(RequestItems=ask)
                except (BotoCoreError, ClientError) as trouble:
                    raise _error_of(trouble) from trouble
                found |= {row["pk"]["S"]: row for row in answer["Responses"][self._table]}
                ask = answer.get("UnprocessedKeys")
                if not ask:
                    break
        return found

    def put(self, rows: Sequence[Put]) -> Errors:
        """Store at most PUT rows without a condition; their keys must differ."""
        puts = [{"PutRequest": {"Item": row.item}} for row in rows]
        left: dict[str, Any] = {self._table: puts}
        try:
            for _ in _attempts("throttled"):
                answer = _beside_transactions(self._client.batch_write_item, RequestItems=left)
                left = answer.get("UnprocessedItems", {})
                if not left:
                    break
        except StateError as full:
            keys = {put["PutRequest"]["Item"]["pk"]["S"] for put in left[self._table]}
            return [full if row.item["pk"]["S"] in keys else None for row in rows]
        except (BotoCoreError, ClientError) as trouble:
            if _code(trouble) == _INVALID and len(rows) > 1:  # one row made it so
                middle = len(rows) // 2
                return self.put(rows[:middle]) + self.put(rows[middle:])
            return [_error_of(trouble)] * len(rows)
        return [None] * len(rows)

    def write_each(self, writes: Sequence[Write]) -> Errors:
        """Do each write under its own conditions, several at the same time."""
        # A table that does not answer takes seconds of a function that has few: the first such
        # error is that of all writes that have not begun.
        down: list[Exception] = []

        def outcome_of(write: Write) -> Exception | None:
            if down:
                return down[0]
            try:
                self._write(write)
            except (ConditionFailedError, RowError, StateError) as refusal:
                return refusal
            except (BotoCoreError, ClientError) as trouble:
                error = _error_of(trouble)
                if isinstance(trouble, BotoCoreError):
                    down.append(error)
                return error
            return None

        if len(writes) == 1:
            return [outcome_of(writes[0])]
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(outcome_of, writes))

    def _write(self, write: Write) -> None:
        by = write.condition
        with conditional():
            if isinstance(write, Update):
                update = self._request(by, Key=key(write.key), UpdateExpression=write.change)
                _beside_transactions(self._client.update_item, **update)
            elif write.checks:
                self._transact(write)
            else:
                _beside_transactions(self._client.put_item, **self._request(by, Item=write.item))

    def _transact(self, write: Put) -> None:
        """Store a row under conditions on other rows."""
        actions = [{"Put": self._request(write.condition, Item=write.item)}]
        actions += [
            {"ConditionCheck": self._request(one.condition, Key=key(one.key))}
            for one in write.checks
        ]
        for _ in _attempts("busy"):
            try:
                self._client.transact_write_items(TransactItems=actions)
            except self._client.exceptions.TransactionCanceledException as canceled:
                for refusal in map(_refusal, canceled.response["CancellationReasons"]):
                    if refusal:
                        raise refusal from canceled
            else:
                return

    def _request(self, by: Condition | None, **request: object) -> dict[str, object]:
        """Return a request with the table and a condition."""
        request["TableName"] = self._table
        if by:
            if by.expression:
                request["ConditionExpression"] = by.expression
                request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            if by.names:
                request["ExpressionAttributeNames"] = by.names
            if by.values:
                request["ExpressionAttributeValues"] = by.values
        return request


def _beside_transactions(send: Callable[..., Any], **request: object) -> dict[str, Any]:
    """Return a request's answer; it is repeated while a transaction reads one of its rows."""
    answer: dict[str, Any] = {}
    for _ in _attempts("busy"):
        try:
            answer = send(**request)
        except ClientError as trouble:
            if _code(trouble) != _CONFLICT:
                raise
        else:
            break
    return answer


def _attempts(trouble: str) -> Iterator[None]:
    """Yield for each attempt, after growing pauses; raises StateError when all are used up."""
    yield
    for attempt in range(1, ATTEMPTS):
        _pause(random.uniform(0.02, 0.05) * 2**attempt)
        yield
    raise StateError(f"the State table is {trouble}")


def _refusal(reason: Mapping[str, Any]) -> Exception | None:
    """Return the error that a part of a canceled transaction caused, None if it is to retry."""
    if reason["Code"] == _CONDITION_FAILED:
        return ConditionFailedError(reason.get("Item"))
    return None if reason["Code"] in _RETRIED else _error(str(reason.get("Message")))


def _code(trouble: Exception) -> str:
    return str(trouble.response["Error"]["Code"]) if isinstance(trouble, ClientError) else ""


def _error_of(trouble: Exception) -> RowError | StateError:
    text = str(trouble)
    return _error(text) if _code(trouble) == _INVALID else StateError(f"State table: {text}")


def _error(message: str) -> RowError | StateError:
    kind = RowError if _TOO_LARGE.search(message) else StateError
    return kind(f"State table: {message}")
