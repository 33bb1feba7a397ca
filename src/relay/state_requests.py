"""Reads and writes of the State table, as many rows in a request as DynamoDB takes. All block.

Rows without a condition are put, 25 in a request. Rows with one are written by transactions of 100:
they cost twice the units, but a request costs this process as much processor time as all the rest
of a change does. One row that is refused keeps no other row of its request from being written.
"""

import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from relay.aws_types import Client, Item
from relay.errors import ConditionFailedError, RowError, StateError
from relay.state_table import key

READ, PUT, CONDITIONAL = 100, 25, 100  # DynamoDB's limits for one request
ATTEMPTS = 5
_RETRIED = {"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_CONDITION_FAILED = "ConditionalCheckFailed"
_INVALID = "ValidationException"
# "Item size has exceeded …", "Item size to update has …", "Size of hashkey has …".
_TOO_LARGE = re.compile("size .*has exceeded", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in DynamoDB's words, with the names and values that its request uses."""

    expression: str
    names: dict[str, str] = field(default_factory=dict)
    values: Item = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on the row with a key, which is not written."""

    key: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Put:
    """A row to be stored whole; `checks` are conditions on other rows, for one with a condition."""

    item: Item
    condition: Condition | None = None
    checks: Sequence[Check] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """A change of the row with a key; `condition` has the names and values of `change` too."""

    key: str
    change: str
    condition: Condition


type Write = Put | Update
type Errors = list[Exception | None]  # of each write in its order, None where it is stored


class StateRequests:
    """The State table through a DynamoDB client with short timeouts."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def load(self, keys: Iterable[str]) -> dict[str, Item]:
        """Return {key: row} of the keys that have a row, read consistently; raises StateError."""
        found: dict[str, Item] = {}
        for part in batched(sorted(set(keys)), READ, strict=False):
            ask = {"Keys": [key(pk) for pk in part], "ConsistentRead": True}
            for attempt in range(ATTEMPTS):
                _pause(attempt)
                try:
                    answer = self._client.batch_get_item(RequestItems={self._table: ask})
                except (BotoCoreError, ClientError) as trouble:
                    raise _error_of(trouble) from trouble
                found |= {row["pk"]["S"]: row for row in answer["Responses"][self._table]}
                if not answer.get("UnprocessedKeys"):
                    break
                ask = answer["UnprocessedKeys"][self._table]
            else:
                raise StateError("the State table is throttled")
        return found

    def put(self, rows: Sequence[Put]) -> Errors:
        """Store at most PUT rows without a condition; their keys must differ."""
        left = [{"PutRequest": {"Item": row.item}} for row in rows]
        try:
            for attempt in range(ATTEMPTS):
                _pause(attempt)
                answer = self._client.batch_write_item(RequestItems={self._table: left})
                left = answer.get("UnprocessedItems", {}).get(self._table, [])
                if not left:
                    return [None] * len(rows)
        except (BotoCoreError, ClientError) as trouble:
            return _in_halves(self.put, rows, trouble)
        keys = {put["PutRequest"]["Item"]["pk"]["S"] for put in left}
        full = StateError("the State table is throttled")
        return [full if row.item["pk"]["S"] in keys else None for row in rows]

    def transact(self, writes: Sequence[Write]) -> Errors:
        """Do writes, each under its own conditions; at most CONDITIONAL, checks included."""
        errors: Errors = [None] * len(writes)
        left = list(range(len(writes)))
        refused = 0
        for attempt in range(ATTEMPTS):
            _pause(attempt - refused)
            sent, left = left, []
            try:
                actions = [(at, one) for at in sent for one in self._actions(writes[at])]
                self._client.transact_write_items(TransactItems=[one for _, one in actions])
            except self._client.exceptions.TransactionCanceledException as canceled:
                reasons = canceled.response["CancellationReasons"]
                for (at, _), reason in zip(actions, reasons, strict=True):
                    errors[at] = errors[at] or _refusal(reason)
                left = [at for at in sent if errors[at] is None]
                refused += len(left) < len(sent)
            except (BotoCoreError, ClientError) as trouble:
                halves = _in_halves(self.transact, [writes[at] for at in sent], trouble)
                for at, error in zip(sent, halves, strict=True):
                    errors[at] = error
            if not left:
                break
        for at in left:
            errors[at] = StateError("the State table is busy")
        return errors

    def _actions(self, write: Write) -> list[dict[str, object]]:
        """Return a write, and its checks, as parts of a transaction."""
        if isinstance(write, Update):
            update: dict[str, object] = {"Key": key(write.key), "UpdateExpression": write.change}
            return [self._action("Update", update, write.condition)]
        return [
            self._action("Put", {"Item": write.item}, write.condition),
            *(
                self._action("ConditionCheck", {"Key": key(one.key)}, one.condition)
                for one in write.checks
            ),
        ]

    def _action(
        self, name: str, request: dict[str, object], condition: Condition | None
    ) -> dict[str, object]:
        request["TableName"] = self._table
        if condition:
            request["ConditionExpression"] = condition.expression
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            if condition.names:
                request["ExpressionAttributeNames"] = condition.names
            if condition.values:
                request["ExpressionAttributeValues"] = condition.values
        return {name: request}


def _refusal(reason: Mapping[str, Any]) -> Exception | None:
    """Return the error that a part of a canceled transaction caused, None if it is to retry."""
    if reason["Code"] == _CONDITION_FAILED:
        return ConditionFailedError(reason.get("Item"))
    return None if reason["Code"] in _RETRIED else _error(str(reason.get("Message")))


def _in_halves[W](
    send: Callable[[Sequence[W]], Errors], writes: Sequence[W], trouble: Exception
) -> Errors:
    """Return the error of each write; a request that one row made invalid is sent in halves."""
    if _code(trouble) == _INVALID and len(writes) > 1:
        middle = len(writes) // 2
        return send(writes[:middle]) + send(writes[middle:])
    return [_error_of(trouble)] * len(writes)


def _code(trouble: Exception) -> str:
    return str(trouble.response["Error"]["Code"]) if isinstance(trouble, ClientError) else ""


def _pause(attempt: int) -> None:
    if attempt > 0:
        time.sleep(random.uniform(0.02, 0.05) * 2**attempt)


def _error_of(trouble: Exception) -> RowError | StateError:
    text = str(trouble)
    return _error(text) if _code(trouble) == _INVALID else StateError(f"State table: {text}")


def _error(message: str) -> RowError | StateError:
    kind = RowError if _TOO_LARGE.search(message) else StateError
    return kind(f"State table: {message}")
