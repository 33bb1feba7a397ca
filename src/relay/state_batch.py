"""Writes of many coroutines to the State table: those of the same moment share requests."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from relay.state_requests import PUT, StateRequests
from relay.state_writes import Errors, Put, Write

QUIET_TURNS = 8  # of the event loop without a new write, before the requests leave
_in_thread = asyncio.to_thread


@dataclass(slots=True)
class _Pending:
    """A write that has not left: how its values become a request, and its end."""

    build: Callable[[list[Any]], Write]
    done: asyncio.Future[None]
    values: list[Any] = field(default_factory=list)

    def finish(self, error: Exception | None) -> None:
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
            self.done.exception()  # the caller may be gone


class StateBatch:
    """The State table's writes during one batch of records, in one event loop."""

    def __init__(self, requests: StateRequests) -> None:
        self._requests = requests
        self._pending: dict[str, _Pending] = {}
        self._task: asyncio.Task[None] | None = None

    async def write[V](self, name: str, value: V, build: Callable[[Sequence[V]], Write]) -> None:
        """Write together with the other writes of this moment; return when it is stored.

        Writes of one name that are pending at the same time become one: `build` makes it of their
        values when the request leaves. Writes of one name never overtake each other.

        Raises ConditionFailedError where the condition does not hold, RowError where the row is
        too large for any table, StateError where the table is at fault, and what `build` raises.
        """
        loop = asyncio.get_running_loop()
        pending = self._pending.setdefault(name, _Pending(build, loop.create_future()))
        pending.values.append(value)
        if self._task is None:
            self._task = loop.create_task(self._work())
        await asyncio.shield(pending.done)

    async def _work(self) -> None:
        try:
            while self._pending:
                await self._until_quiet()
                leaving, self._pending = list(self._pending.values()), {}
                await self._send(leaving)
        finally:
            self._task = None

    async def _until_quiet(self) -> None:
        count, turns = 0, 0
        while turns < QUIET_TURNS:
            turns = turns + 1 if count == len(self._pending) else 0
            count = len(self._pending)
            await asyncio.sleep(0)

    async def _send(self, leaving: Sequence[_Pending]) -> None:
        puts: list[tuple[_Pending, Put]] = []
        conditional: list[tuple[_Pending, Write]] = []
        for pending in leaving:
            try:
                write = pending.build(pending.values)
            except Exception as refusal:  # noqa: BLE001  it may not be written any more, or can't be
                pending.finish(refusal)
                continue
            if isinstance(write, Put) and write.condition is None:
                puts.append((pending, write))
            else:
                conditional.append((pending, write))
        jobs = [_request(self._requests.put, part) for part in batched(puts, PUT, strict=False)]
        if conditional:
            jobs.append(_request(self._requests.write_each, conditional))
        await asyncio.gather(*jobs)


async def _request[W](
    send: Callable[[Sequence[W]], Errors], part: Sequence[tuple[_Pending, W]]
) -> None:
    try:
        errors = await _in_thread(send, [write for _, write in part])
    except Exception as error:  # noqa: BLE001  every caller must get an end
        errors = [error] * len(part)
    for (pending, _), outcome in zip(part, errors, strict=True):
        pending.finish(outcome)
