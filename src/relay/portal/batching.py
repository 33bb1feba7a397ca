"""The calls that wait in one event loop -> as few requests as the protocol allows.

A request leaves when no coroutine of the loop can go on without it. asyncio does not say when that
is, so `_look` re-arms itself until ROUNDS turns of the loop have brought no further call; while
somebody holds (I/O of our own is under way whose end may bring calls) it does not look at all. Each
request then takes a slot, and is filled first come first served when that slot has arrived.

What may happen at the same time, and why it does no harm:
- A caller is cancelled: its unit stays and is finished, only nobody awaits its future.
- Calls arrive while a request waits for its slot: they ride along; `_coming` requests are counted,
  so that no second one is started for what fits. One that finds nothing left sends nothing.
- A slot is refused: the last units fail that the requests still coming can't carry.
- The loop ends (a Lambda invocation is over): all state here belongs to that loop and dies with it.
- Answers arrive in any order: each request settles its own units only.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from relay.portal.encoding import MOST_QUERY_BYTES
from relay.portal.http import THREADS
from relay.portal.pending import PendingCall

ROUNDS = 16  # turns of the loop without a new call; a turn costs microseconds
GUARD_SECONDS = 1.0  # the longest that coroutines which never rest, or hold, can keep a call

Send = Callable[[list[PendingCall]], Awaitable[list[PendingCall]]]


class Batcher:
    """The units of one event loop that wait, and the requests that are coming for them."""

    def __init__(
        self, size: Callable[[], int], take_slot: Callable[[], Awaitable[None]], send: Send
    ) -> None:
        """Take what a batch may hold, how to wait for a slot, and how to send units.

        `send` settles units or returns them: those wait again, from their `not_before` on.
        """
        self._size = size
        self._take_slot = take_slot
        self._send = send
        self._waiting: deque[PendingCall] = deque()
        self._open: set[PendingCall] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes = asyncio.Semaphore(THREADS)
        self._coming = 0
        self._holds = 0
        self._rounds = 0
        self._looking = False
        self._guard: asyncio.TimerHandle | None = None

    def add(self, unit: PendingCall) -> None:
        """Let a unit wait; its future tells what became of it."""
        self._open.add(unit)
        unit.future.add_done_callback(lambda _: self._settled(unit))
        self._wait(unit)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let no request leave meanwhile: what happens inside may bring further calls."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._arm()

    async def finish(self) -> None:
        """Wait until nothing is under way, cancelled callers' calls included."""
        while self._open:
            await asyncio.wait([unit.future for unit in self._open])

    def _wait(self, unit: PendingCall) -> None:
        delay = unit.not_before - time.time()
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._wait, unit)
            return
        self._waiting.append(unit)
        self._arm()

    def _arm(self) -> None:
        self._rounds = 0
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        if self._guard is None:
            self._guard = loop.call_later(GUARD_SECONDS, self._leave)
        if not self._looking and not self._holds:
            self._looking = True
            loop.call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        if self._holds:
            return  # the end of the hold arms anew
        self._rounds += 1
        if self._rounds < ROUNDS:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)
        else:
            self._leave()

    def _leave(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None
        for _ in range(self._requests() - self._coming):
            self._coming += 1
            task = asyncio.get_running_loop().create_task(self._request())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # its units were told

    def _requests(self) -> int:
        """Return how many requests the waiting units need."""
        size = self._size()
        alone = sum(unit.alone for unit in self._waiting)
        together = {True: 0, False: 0}
        for unit in self._waiting:
            if not unit.alone:
                together[unit.reads] += min(unit.least, size)
        return alone + sum(-(-commands // size) for commands in together.values())

    async def _request(self) -> None:
        async with self._lanes:
            try:
                await self._take_slot()
            except BaseException as refusal:
                self._coming -= 1
                self._turn_away(refusal)
                raise
            self._coming -= 1
            units = self._fill()
            if self._requests() > self._coming:
                self._arm()  # what did not fit by its bytes
            if not units:
                return
            try:
                again = await self._send(units)
            except BaseException as broken:  # the loop ends, or a fault of ours
                for unit in units:
                    unit.break_off(broken)
                raise
        for unit in again:
            self._wait(unit)

    def _turn_away(self, refusal: BaseException) -> None:
        """Let the last units fail that the requests still coming can't carry."""
        while self._requests() > self._coming:
            self._waiting.pop().break_off(refusal)

    def _fill(self) -> list[PendingCall]:
        """Take the units of the next request out of what waits.

        Reads and writes don't mix: if an answer is too large, reads are asked for in smaller parts,
        but a create that shared it would be lost.
        """
        if not self._waiting or self._waiting[0].alone:
            return [self._waiting.popleft()] if self._waiting else []
        size, room, left = self._size(), MOST_QUERY_BYTES, deque[PendingCall]()
        units: list[PendingCall] = []
        reads = self._waiting[0].reads
        while self._waiting and size > 0:
            unit = self._waiting.popleft()
            alone = unit.alone or unit.reads is not reads
            if alone or (units and (unit.query_bytes > room or unit.least > size)):
                left.append(unit)
                continue
            room -= unit.query_bytes
            size -= unit.least
            units.append(unit)
        self._waiting.extendleft(reversed(left))
        return units

    def _settled(self, unit: PendingCall) -> None:
        self._open.discard(unit)
        if not unit.future.cancelled():
            unit.future.exception()  # a cancelled caller never looks
