"""A run's calls -> the ledger: what is noted before a call is sent, and after it has run."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from itertools import count
from typing import Any

from relay.errors import LoopError
from relay.ledger import (
    BUDGET,
    Fact,
    Note,
    Written,
    created,
    done_in,
    gone_key,
    made_key,
    number_of,
    writes_in,
    written,
)
from relay.state import RefusedError, State


class Noting:
    """What one run notes; `user` returns the user that it writes as."""

    def __init__(  # noqa: PLR0913  a run, and where it notes
        self,
        *,
        state: State,
        portal: str,
        reaction: str,
        token: str,
        user: Callable[[], int],
        counts: Counter[str],
        log: Callable[..., None],
    ) -> None:
        self._state = state
        self._portal = portal
        self._reaction = reaction
        self._marks = (f"{token}.{number}" for number in count())
        self._user = user
        self._counts = counts
        self._log = log

    async def before(self, method: str, params: Mapping[str, Any]) -> None:
        """Note what a call, or each write of a batch, sets; raises LoopError."""
        jobs: list[Coroutine[Any, Any, None]] = []
        now = time.time()
        for call in writes_in(method, params):
            if its := written(*call):
                jobs.append(self._write(its, now))
            if (made := created(*call)) and made.mark:
                fact = Fact.of_mark(self._portal, made, self._user(), now)
                jobs.append(self._state.write(fact))
        await asyncio.gather(*jobs)

    async def after(self, method: str, params: Mapping[str, Any], result: Any) -> None:
        """Note what only the answer proves: what was deleted, what was made, what was meant."""
        jobs: list[Coroutine[Any, Any, None]] = []
        now = time.time()
        for command, given, answer, late in done_in(method, params, result):
            its, made, number = written(command, given), created(command, given), number_of(answer)
            if its and its.deleted:
                key = gone_key(self._portal, its.entity, its.id)
                jobs.append(self._state.write(Fact(key, now)))
            if its and late:
                jobs.append(self._write(its, now))
            if made and number and not made.mark:
                key = made_key(self._portal, f"{made.entity}/{number}")
                jobs.append(self._state.write(Fact(key, now)))
        for trouble in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(trouble, Exception):  # the write has been done all the same
                self._log("not noted", method=method, reason=str(trouble))

    async def _write(self, its: Written, now: float) -> None:
        mark = next(self._marks)
        note = Note(self._portal, its, self._reaction, mark, self._user(), now)
        try:
            await self._count(note)
        except RefusedError:
            self._counts["loops"] += 1
            raise LoopError(
                f"{self._reaction} has written to {its.entity} {its.id} {BUDGET} times "
                "within an hour: is something answering its writes?"
            ) from None

    async def _count(self, note: Note) -> None:
        try:
            await self._state.write(note)
        except RefusedError:
            bare = note.bare()
            if bare is None:
                raise
            await self._state.write(bare)
