"""One run of a reaction for one record: the state that its calls share."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from relay.errors import NotAwaitedError
from relay.portal.pending import keep_until_done
from relay.reaction.lease import Lease
from relay.reaction.matching import Claims

type Log = Callable[..., None]  # writes a warning about one record, with fields beside it

NEEDS_OPERATOR = "UNDECIDED"  # the code of an error that asks for an operator's decision


class Operator(NamedTuple):
    """What an operator has decided by sending a record back.

    `confirmed_at` is the time (epoch s) at which the operator had looked for the writes that are
    not known to have run, and found none; 0.0 if no decision was asked for.
    """

    sent_back: bool = False
    confirmed_at: float = 0.0


class Run:
    """The run's lease and claims, its writes under way, and how often it was replayed."""

    def __init__(self, lease: Lease, log: Log, operator: Operator) -> None:
        self.lease = lease
        self.checkpoint = lease.checkpoint
        self.claims = Claims(lease.checkpoint, sent_back=operator.sent_back)
        self.operator_confirmed_at = operator.confirmed_at
        self.log = log
        self.replayed = 0
        self.busy_until = 0.0  # epoch s; until then a request without an answer may be running
        self.not_awaited: Counter[str] = Counter()  # calls that have not begun, by method
        self._tasks: set[asyncio.Task[Any]] = set()

    async def finish_even_if_cancelled[T](self, write: Coroutine[object, None, T]) -> T:
        """Return the result of a write, which is finished even if the caller is cancelled."""
        task = asyncio.get_running_loop().create_task(write)
        keep_until_done(task, self._tasks)
        return await asyncio.shield(task)

    def check_awaited(self) -> None:
        """Raise NotAwaitedError for a call that has not begun, alone or in a task: it never will.

        A call that has begun is finished, also if its caller was cancelled.
        """
        for method in +self.not_awaited:
            raise NotAwaitedError(f"{method} was not awaited: write `await portal.call(…)`")

    async def settled(self) -> None:
        """Wait until no write is under way, cancelled callers' included."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def finish(self, *, failed: bool) -> None:
        """Wait for the writes under way, store what is not stored, and end the lease.

        `failed` counts a failure of the reaction itself. If the table does not take the checkpoint,
        that is only logged: the next delivery waits for the lease.
        """
        self.claims.closed = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        if failed:
            self.checkpoint.failures += 1
        try:
            if failed and not self.lease.is_ours:
                await self.lease.store()  # to store the number of failures
            if self.lease.is_ours:
                await self.lease.end(self.busy_until)
        except Exception as trouble:  # noqa: BLE001  the write has been done, the record may go
            self.log("not recorded", reason=str(trouble))
