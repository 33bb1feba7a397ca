"""Notes the writes of a run in the ledger: before a call is sent, and after it has run.

The budget of an hour counts the writes that were sent. What can happen, and why no write is lost or
counted twice:
- Many tries (a portal that can't be reached): each try that was not sent takes its write id back.
  The id of a try whose answer was lost stays, and the next try has the same.
- Killed in between: the id stays, and the next try has the same.
- Several copies, one item: each has one write of its chain in flight, so a few ids too many may
  stand for seconds; a record that they stop waits for the hour's end like any other.
- Writes noted together that have no room together are noted one by one: as many as fit pass.
- The hour turns: a note takes its id back from the row that it was added to.
- The first writes to the change's own item that set no field are counted at the run's end, with
  what it has handled (relay.reaction.newest). Killed before, they are not: such a loop goes on no
  faster than leases end. Copies that count at the same time count one for both.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
from typing import NamedTuple

from relay.echo.calls import Call
from relay.echo.effects import WrittenItem, created_id, created_item, written_item
from relay.echo.ledger import (
    BUDGET,
    Creation,
    Note,
    add_creations,
    add_notes,
    fact,
    stamped,
    take_back_notes,
)
from relay.echo.note_text import NoteText
from relay.echo.row_writes import written_rows
from relay.errors import ConditionFailedError, LoopError
from relay.reaction.acting_user import ActingUser
from relay.reaction.checkpoint import Write
from relay.reaction.newest import Newest
from relay.reaction.run import Log
from relay.reaction.writes import was_not_sent
from relay.state_batch import StateBatch
from relay.state_table import HOUR_SECONDS, gone_key, ledger_key, newest_key
from relay.state_writes import Put


@dataclass(slots=True)
class Ledger:
    """The ledger as the runs of one batch share it; `counts` has the metric `loops`."""

    batch: StateBatch
    reaction: str
    counts: Counter[str]
    _turns: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )

    async def put(self, row: Put) -> None:
        """Store a row whose key says everything."""
        await self.batch.write(row.item["pk"]["S"], row, lambda rows: rows[0])

    async def add(self, note: Note) -> Note:
        """Note a write; return the note as it was stored. Raises LoopError beyond the budget."""
        name = f"{note.key} {note.reaction}"
        refusal = await self._refusal(name, note)
        if not refusal:
            return note
        # Together with others it had no room, or there is none.
        async with self._turns[name]:
            while refusal:
                if note.is_over_budget(refusal.item):
                    self.counts["loops"] += 1
                    item = note.item.replace("/", " ")
                    raise LoopError(
                        f"{note.reaction} has written to {item} {BUDGET} times within an hour: is "
                        "something answering its writes?",
                        HOUR_SECONDS - note.now % HOUR_SECONDS,
                    )
                if note.is_too_large(refusal.item):
                    note = replace(note, text="")
                refusal = await self._refusal(name, note)
        return note

    async def _refusal(self, name: str, note: Note) -> ConditionFailedError | None:
        try:
            await self.batch.write(name, note, add_notes)
        except ConditionFailedError as refusal:
            return refusal
        return None

    async def take_back(self, note: Note) -> None:
        """Remove the note of a write that was not sent."""
        await self.batch.write(f"{note.key} {note.reaction} unsent", note, take_back_notes)


class Author(NamedTuple):
    """Who writes: `token` is the run's own, `user` the webhook's."""

    portal: str
    record_id: str
    token: str
    user: ActingUser


@dataclass(slots=True)
class WriteNotes:
    """What one run notes for a record."""

    ledger: Ledger
    author: Author
    log: Log
    own: Newest | None = None  # of a change's item: counts the item's first writes of an hour
    _counted: Counter[Write] = field(default_factory=Counter)  # there
    _noted: defaultdict[Write, list[Note]] = field(default_factory=lambda: defaultdict(list))
    _noted_as: dict[Write, int] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    async def before(self, write: Write, call: Call) -> None:
        """Note what a call that is to be sent sets; raises LoopError, StateError."""
        jobs: list[Awaitable[None]] = []
        now, author, by = time.time(), self.author, self.ledger.reaction
        user_id = self._noted_as[write] = author.user.id
        for at, command in enumerate(call.writes()):
            if written := written_item(*command):
                jobs.append(self._add(write, written, str(at), now))
            if (created := created_item(*command)) and created.stamp:
                row = stamped(author.portal, created, user_id, now, by=by)
                jobs.append(self.ledger.put(row))
        await asyncio.gather(*jobs)

    async def failed(self, write: Write, error: BaseException) -> None:
        """Take back the notes of a write if it was not sent."""
        # A table that does not answer changes nothing: the next try has the same write ids.
        self._noted_as.pop(write, None)
        notes, counted = self._noted.pop(write, []), self._counted.pop(write, 0)
        if was_not_sent(error):
            if self.own:
                self.own.take_back(counted)
            await self._all(map(self.ledger.take_back, notes), "not taken back", write)

    async def after(self, write: Write, call: Call, result: object) -> None:
        """Note what only results prove: deletions, new items, items by reference, product rows."""
        counted = self._counted.pop(write, 0)
        jobs: list[Awaitable[None]] = []
        now, portal, by = time.time(), self.author.portal, self.ledger.reaction
        user_id = self.author.user.id
        if self._noted_as.pop(write, user_id) != user_id:  # the answer showed who writes
            jobs.append(self.before(write, call))
        for at, done in enumerate(call.finished(result)):
            written = written_item(done.method, done.resolved)
            if written and written.deleted:
                jobs.append(self.ledger.put(fact(gone_key(portal, written.item), now, by=by)))
            if written and not written_item(done.method, done.params):  # known by its result only
                jobs.append(self._add(write, written, f"late {at}", now))
            if rows := written_rows(done.method, done.resolved, done.result):
                if counted and (own := self._own(rows)):  # the note counts it now
                    own.take_back(1)
                    counted -= 1
                jobs.append(self._add(write, rows, str(at), now))
            created, number = created_item(done.method, done.resolved), created_id(done.result)
            if created and number and not created.stamp:
                creation = Creation.of(portal, created.entity, number, now, by=by)
                jobs.append(self.ledger.batch.write(creation.key, creation, add_creations))
        await self._all(jobs, "not noted", write)

    async def _all(self, jobs: Iterable[Awaitable[None]], message: str, write: Write) -> None:
        """Do all; a failure is only logged: the call has had its end all the same."""
        for error in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(error, Exception):
                self.log(message, method=write.method, reason=str(error))

    def _own(self, written: WrittenItem) -> Newest | None:
        """Return the row of the change's item if that was written."""
        row_key = newest_key(self.ledger.reaction, self.author.portal, written.item)
        return self.own if self.own and self.own.key == row_key else None

    async def _add(self, write: Write, written: WrittenItem, which: str, now: float) -> None:
        text = NoteText.of(written, self.author.user.id, now).to_json()
        own = self._own(written)
        if own and not text and own.count(now):
            self._counted[write] += 1
            return
        name = f"{self.author.record_id} {write.method} {write.number} {which}"
        note = Note(
            key=ledger_key(self.author.portal, written.item, now),
            item=written.item,
            reaction=self.ledger.reaction,
            token=f"{self.author.token}.{next(self._numbers)}",
            write_id=sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16],
            text=text,
            now=now,
            elsewhere=own.writes_in(now) if own else 0,
        )
        self._noted[write].append(await self.ledger.add(note))
