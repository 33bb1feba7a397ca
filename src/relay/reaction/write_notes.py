"""A run's calls -> the ledger: what is noted before a call is sent, and after it has run.

The budget of an hour holds what was sent. What can happen, and why it neither loses a write nor
counts it twice:
- Tried many times (a portal that can't be reached): each try that was not sent takes its mark
  back; of one whose answer was lost the mark stays, and the next try sets the same.
- Killed in between: the mark stays, and the next try sets the same.
- Several copies, one item: each has one write of its chain in flight, so a few marks too many may
  stand for seconds; a record that they stop waits for the hour's end like any other.
- Writes noted together that have no room together are noted one by one: as many as fit pass.
- The hour turns: a note takes its mark back from the row that it was set in.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Mapping
from hashlib import sha256
from itertools import count
from typing import Any

from relay.echo.ledger import (
    BUDGET,
    HOUR,
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
from relay.errors import ConditionFailedError, LoopError
from relay.reaction.checkpoint import Write
from relay.reaction.writes import was_not_sent
from relay.state_table import StateTable


class WriteNotes:
    """What one run notes for a record; `user` returns the user that it writes as.

    `turns` has a lock for each row, shared by the runs of a batch.
    """

    def __init__(  # noqa: PLR0913  a run, and where it notes
        self,
        *,
        state: StateTable,
        portal: str,
        reaction: str,
        record: str,
        token: str,
        turns: defaultdict[str, asyncio.Lock],
        user: Callable[[], int],
        counts: Counter[str],
        log: Callable[..., None],
    ) -> None:
        self._state = state
        self._portal = portal
        self._reaction = reaction
        self._record = record
        self._tokens = (f"{token}.{number}" for number in count())
        self._turns = turns
        self._noted: defaultdict[Write, list[Note]] = defaultdict(list)
        self._user = user
        self._counts = counts
        self._log = log

    async def before(self, write: Write, params: Mapping[str, Any]) -> None:
        """Note what a call, or each write of a batch, sets; raises LoopError."""
        jobs: list[Coroutine[Any, Any, None]] = []
        now = time.time()
        for number, call in enumerate(writes_in(write.method, params)):
            if its := written(*call):
                jobs.append(self._write(write, its, self._mark(write, str(number)), now))
            if (made := created(*call)) and made.mark:
                fact = Fact.of_mark(self._portal, made, self._user(), now)
                jobs.append(self._state.write(fact))
        await asyncio.gather(*jobs)

    async def failed(self, write: Write, error: BaseException) -> None:
        """Take back what was noted of a write that was not sent.

        A table that does not answer changes nothing: the next try sets the same marks.
        """
        notes = self._noted.pop(write, [])
        if was_not_sent(error):
            jobs = (self._state.write(note.unsent()) for note in notes)
            for trouble in await asyncio.gather(*jobs, return_exceptions=True):
                if isinstance(trouble, Exception):
                    self._log("not taken back", method=write.method, reason=str(trouble))

    async def after(self, write: Write, params: Mapping[str, Any], result: Any) -> None:
        """Note what only the answer proves: what was deleted, what was made, what was meant."""
        self._noted.pop(write, None)
        jobs: list[Coroutine[Any, Any, None]] = []
        now = time.time()
        for at, (command, given, answer, late) in enumerate(done_in(write.method, params, result)):
            its, made, number = written(command, given), created(command, given), number_of(answer)
            if its and its.deleted:
                key = gone_key(self._portal, its.entity, its.id)
                jobs.append(self._state.write(Fact(key, now)))
            if its and late:
                jobs.append(self._write(write, its, self._mark(write, f"late {at}"), now))
            if made and number and not made.mark:
                key = made_key(self._portal, f"{made.entity}/{number}")
                jobs.append(self._state.write(Fact(key, now)))
        for trouble in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(trouble, Exception):  # the write has been done all the same
                self._log("not noted", method=write.method, reason=str(trouble))

    def _mark(self, write: Write, which: str) -> str:
        """Return the same short text each time that a write of the record is tried."""
        text = f"{self._record} {write.method} {write.number} {which}"
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    async def _write(self, write: Write, its: Written, mark: str, now: float) -> None:
        def fresh() -> Note:
            token = next(self._tokens)
            return Note(self._portal, its, self._reaction, token, self._user(), now, mark)

        note = fresh()
        try:
            await self._state.write(note)
        except ConditionFailedError as refusal:
            note = await self._alone(fresh, note.name, refusal, its, now)
        self._noted[write].append(note)

    async def _alone(
        self,
        fresh: Callable[[], Note],
        name: str,
        refusal: ConditionFailedError,
        its: Written,
        now: float,
    ) -> Note:
        """Note a write by itself: together with others it had no room, or there is none."""
        async with self._turns[name]:
            while True:
                note = fresh()
                if note.is_over(refusal.item):
                    self._counts["loops"] += 1
                    raise LoopError(
                        f"{self._reaction} has written to {its.entity} {its.id} {BUDGET} times "
                        "within an hour: is something answering its writes?",
                        HOUR - now % HOUR,
                    )
                if note.is_too_large(refusal.item):
                    note = note.bare()
                try:
                    await self._state.write(note)
                except ConditionFailedError as again:
                    refusal = again
                else:
                    return note
