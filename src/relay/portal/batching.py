"""The calls that wait in one event loop -> as few requests as the protocol allows.

A request leaves when no coroutine of the loop can go on without it: when IDLE_TURNS turns of the
loop, during which no hold was open, have brought no further call. The request then waits for its
slot, and is filled when the slot has arrived, in the order of the calls.

What may happen at the same time, and why it does no harm:
- A caller is cancelled: the call is finished without anybody awaiting its future.
- Calls arrive while a request waits for its slot: they join that request. `_scheduled` counts such
  requests, so that no second one is made for them. A request that finds no call left sends nothing.
- A slot is refused: the newest calls fail, as many as the scheduled requests can't carry.
- The loop ends (a Lambda invocation is over): this state belongs to one loop, and ends with it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from relay.portal.encoding import MAX_QUERY_BYTES
from relay.portal.http import THREADS
from relay.portal.pending import PendingCall, keep_until_done
from relay.portal.sending import Sender

IDLE_TURNS = 16  # of the loop; one takes microseconds
MAX_WAIT_SECONDS = 1.0  # the longest that a hold, or a loop that is never idle, delays a call


class Batcher:
    """The calls of one event loop that wait, and the requests that are scheduled for them."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._waiting: deque[PendingCall] = deque()
        self._unfinished: set[asyncio.Future[Any]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight = asyncio.Semaphore(THREADS)
        self._scheduled = 0  # requests that wait for their slot
        self._holds = 0
        self._idle_turns = 0
        self._is_counting = False
        self._latest_start: asyncio.TimerHandle | None = None

    def add(self, call: PendingCall) -> None:
        """Queue a call; its future gets the outcomes. Raises TransientError as `Sender.accept`."""
        self._sender.accept(call)
        keep_until_done(call.future, self._unfinished)
        self._enqueue(call)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let no request leave inside the block, whose I/O may lead to further calls."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._restart_count()

    async def finish(self) -> None:
        """Wait until every call has ended, those of cancelled callers included."""
        while self._unfinished:
            await asyncio.wait(self._unfinished)

    def _enqueue(self, call: PendingCall) -> None:
        delay = call.not_before - time.time()
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._enqueue, call)
            return
        self._waiting.append(call)
        self._restart_count()

    def _restart_count(self) -> None:
        self._idle_turns = 0
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        if self._latest_start is None:
            self._latest_start = loop.call_later(MAX_WAIT_SECONDS, self._schedule_requests)
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._count_idle_turn)

    def _count_idle_turn(self) -> None:
        self._is_counting = False
        if self._holds:
            return  # the end of the hold restarts the count
        self._idle_turns += 1
        if self._idle_turns < IDLE_TURNS:
            self._is_counting = True
            asyncio.get_running_loop().call_soon(self._count_idle_turn)
        else:
            self._schedule_requests()

    def _schedule_requests(self) -> None:
        if self._latest_start is not None:
            self._latest_start.cancel()
            self._latest_start = None
        for _ in range(self._requests_needed() - self._scheduled):
            self._scheduled += 1
            task = asyncio.get_running_loop().create_task(self._request())
            keep_until_done(task, self._tasks)

    def _requests_needed(self) -> int:
        """Return the number of requests that the waiting calls need."""
        size = self._sender.batch_size()
        alone = sum(call.alone for call in self._waiting)
        reads = sum(call.is_read and not call.alone for call in self._waiting)
        writes = len(self._waiting) - alone - reads
        return alone + sum(-(-calls // size) for calls in (reads, writes))

    async def _request(self) -> None:
        async with self._in_flight:
            try:
                await self._sender.take_slot()
            except BaseException as error:
                self._scheduled -= 1
                self._fail_newest(error)
                raise
            self._scheduled -= 1
            calls = self._take_calls()
            if self._requests_needed() > self._scheduled:
                self._restart_count()  # some calls had too many bytes for this request
            if not calls:
                return
            try:
                to_retry = await self._sender.send(calls)
            except BaseException as error:  # the loop ends, or a bug
                for call in calls:
                    call.fail(error)
                raise
        for call in to_retry:
            self._enqueue(call)

    def _fail_newest(self, error: BaseException) -> None:
        """Fail the newest calls that no longer fit into the requests already scheduled."""
        while self._requests_needed() > self._scheduled:
            self._waiting.pop().fail(error)

    def _take_calls(self) -> list[PendingCall]:
        """Remove the calls of the next request from those that wait, and return them."""
        # Reads and writes share no request: after an answer that was too large, reads are asked
        # again in smaller parts, but the outcome of a write would be lost.
        if not self._waiting or self._waiting[0].alone:
            return [self._waiting.popleft()] if self._waiting else []
        size, room, rest = self._sender.batch_size(), MAX_QUERY_BYTES, deque[PendingCall]()
        calls: list[PendingCall] = []
        is_read = self._waiting[0].is_read
        while self._waiting and len(calls) < size:
            call = self._waiting.popleft()
            fits = not calls or call.query_bytes <= room
            if call.alone or call.is_read is not is_read or not fits:
                rest.append(call)
                continue
            room -= call.query_bytes
            calls.append(call)
        self._waiting.extendleft(reversed(rest))
        return calls
