"""The State table as a reaction uses it: what waits to be written at the same time goes together.

Rows that are owned are put, 25 a request. What needs a condition - taking a lease, counting - goes
in transactions of 100: they cost twice the units, but a request costs this process as much
processor time as all the rest of a change does.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import batched
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from relay.errors import ConditionFailedError, RowError, StateError

READ, PUT, CONDITIONAL = 100, 25, 100  # DynamoDB's limits for one request
ATTEMPTS = 5
ROUNDS = 8  # turns of the loop without anything new to write
_AGAIN = {"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_REFUSED = "ConditionalCheckFailed"
_INVALID = "ValidationException"
# "Item size has exceeded …", "Item size to update has …", "Size of hashkey has …".
_TOO_LARGE = re.compile("size .*has exceeded", re.IGNORECASE)
_in_thread = asyncio.to_thread


class Request(Protocol):
    """Something to write. Its request is made when it leaves."""

    @property
    def name(self) -> str:
        """What is written; requests of one name are one."""

    @property
    def conditional(self) -> bool:
        """Whether it needs a condition."""

    def merge(self, other: Any) -> None:
        """Take in another of the same name."""

    def make(self, table: str) -> dict[str, Any]:
        """Return the request's part of a transaction, or the item to put."""


class StateTable:
    """The table during one batch of records, in one event loop."""

    def __init__(self, client: Any, table: str) -> None:
        """Take a DynamoDB client with short timeouts."""
        self._client = client
        self._table = table
        self._waiting: dict[str, tuple[Request, asyncio.Future[None]]] = {}
        self._task: asyncio.Task[None] | None = None

    def load(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the rows of these keys that are there, read consistently; raises StateError."""
        found: dict[str, dict[str, Any]] = {}
        for part in batched(sorted(set(keys)), READ, strict=False):
            ask = {"Keys": [{"pk": {"S": key}} for key in part], "ConsistentRead": True}
            for attempt in range(ATTEMPTS):
                _pause(attempt)
                try:
                    answer = self._client.batch_get_item(RequestItems={self._table: ask})
                except (BotoCoreError, ClientError) as trouble:
                    raise _told(trouble) from trouble
                found |= {row["pk"]["S"]: row for row in answer["Responses"][self._table]}
                if not answer.get("UnprocessedKeys"):
                    break
                ask = answer["UnprocessedKeys"][self._table]
            else:
                raise StateError("the State table is throttled")
        return found

    async def write(self, request: Request) -> None:
        """Write, together with what else is to be written now; returns when it is stored.

        Raises ConditionFailedError where a condition does not hold, RowError for a row too large
        for any table, StateError where the table is at fault. Requests of one name never overtake
        each other.
        """
        loop = asyncio.get_running_loop()
        first, future = self._waiting.setdefault(request.name, (request, loop.create_future()))
        if first is not request:
            first.merge(request)
        if self._task is None:
            self._task = loop.create_task(self._work())
        await asyncio.shield(future)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._until_quiet()
                now, self._waiting = list(self._waiting.values()), {}
                conditional = [its for its in now if its[0].conditional]
                plain = [its for its in now if not its[0].conditional]
                await asyncio.gather(
                    *(
                        self._send(self._transact, p)
                        for p in batched(conditional, CONDITIONAL, strict=False)
                    ),
                    *(self._send(self._put, part) for part in batched(plain, PUT, strict=False)),
                )
        finally:
            self._task = None

    async def _until_quiet(self) -> None:
        seen, rounds = 0, 0
        while rounds < ROUNDS:
            rounds = rounds + 1 if seen == len(self._waiting) else 0
            seen = len(self._waiting)
            await asyncio.sleep(0)

    async def _send(self, how: Any, part: Sequence[tuple[Request, asyncio.Future[None]]]) -> None:
        requests = []
        outcomes: dict[str, Exception] = {}
        for request, _ in part:
            try:
                requests.append((request, request.make(self._table)))
            except Exception as refusal:  # noqa: BLE001  it may not be written any more, or can't be
                outcomes[request.name] = refusal
        if requests:
            try:
                outcomes |= await _in_thread(how, requests)
            except Exception as error:  # noqa: BLE001  whatever it is, those who wait must be told
                outcomes |= {request.name: error for request, _ in requests}
        for request, future in part:
            outcome = outcomes.get(request.name)
            if outcome:
                future.set_exception(outcome)
                future.exception()  # who asked may be gone
            else:
                future.set_result(None)

    def _put(self, requests: list[tuple[Request, Any]]) -> dict[str, Exception]:
        """Put rows; returns what went wrong, by the requests' names."""
        left = [{"PutRequest": {"Item": item}} for _, item in requests]
        try:
            for attempt in range(ATTEMPTS):
                _pause(attempt)
                answer = self._client.batch_write_item(RequestItems={self._table: left})
                left = answer.get("UnprocessedItems", {}).get(self._table, [])
                if not left:
                    return {}
        except (BotoCoreError, ClientError) as trouble:
            if _is_one_at_fault(trouble, requests):
                return self._in_halves(self._put, requests)
            return {request.name: _told(trouble) for request, _ in requests}
        keys = {item["PutRequest"]["Item"]["pk"]["S"] for item in left}
        full = StateError("the State table is throttled")
        return {request.name: full for request, item in requests if item["pk"]["S"] in keys}

    @staticmethod
    def _in_halves(
        how: Callable[[list[tuple[Request, Any]]], dict[str, Exception]],
        requests: list[tuple[Request, Any]],
    ) -> dict[str, Exception]:
        middle = len(requests) // 2
        return how(requests[:middle]) | how(requests[middle:])

    def _transact(self, requests: list[tuple[Request, Any]]) -> dict[str, Exception]:
        """Write under conditions, each for itself; returns what went wrong, by name."""
        wrong: dict[str, Exception] = {}
        left = list(requests)
        refused = 0
        for attempt in range(ATTEMPTS):
            _pause(attempt - refused)
            try:
                self._client.transact_write_items(TransactItems=[item for _, item in left])
            except self._client.exceptions.TransactionCanceledException as canceled:
                reasons = canceled.response["CancellationReasons"]
                again = []
                for (request, item), reason in zip(left, reasons, strict=True):
                    if reason["Code"] == _REFUSED:
                        wrong[request.name] = ConditionFailedError(reason.get("Item"))
                    elif reason["Code"] in _AGAIN:
                        again.append((request, item))
                    else:
                        wrong[request.name] = _error(str(reason.get("Message")))
                refused += len(again) < len(left)
                left = again
            except (BotoCoreError, ClientError) as trouble:
                if _is_one_at_fault(trouble, left):
                    return wrong | self._in_halves(self._transact, left)
                return wrong | {request.name: _told(trouble) for request, _ in left}
            else:
                return wrong
            if not left:
                return wrong
        return wrong | {request.name: StateError("the State table is busy") for request, _ in left}


def _is_one_at_fault(trouble: Exception, requests: Sequence[Any]) -> bool:
    """Say whether a request was refused for something in it: one row too large, say."""
    return _code(trouble) == _INVALID and len(requests) > 1


def _code(trouble: Exception) -> str:
    return str(trouble.response["Error"]["Code"]) if isinstance(trouble, ClientError) else ""


def _pause(attempt: int) -> None:
    if attempt > 0:
        time.sleep(random.uniform(0.02, 0.05) * 2**attempt)


def _told(trouble: Exception) -> RowError | StateError:
    text = str(trouble)
    return _error(text) if _code(trouble) == _INVALID else StateError(f"State table: {text}")


def _error(message: str) -> RowError | StateError:
    kind = RowError if _TOO_LARGE.search(message) else StateError
    return kind(f"State table: {message}")
