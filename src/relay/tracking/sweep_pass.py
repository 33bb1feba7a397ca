"""One sweep of one portal: differences that no event reported become hints.

DESIGN 3.2 is the specification. A sweep publishes no Change itself, and an item that is not listed
is not deleted: the sweep only makes track read.

All lists are read at the same time, so that their first pages and the clock are one request. A
list that fails leaves the other kinds alone, if the trouble is not the whole portal's:
  the kind is refused           its lists are done, its times stay, the kinds are asked for hourly
  another permanent error       a mistake of ours: its lists begin anew with the next sweep
  wait, or the answer was lost  the next sweep continues this list, beside the other kinds
The last two are raised at the end, so that they are counted and logged. Errors of the whole portal,
of the queue and of the tables end the sweep: each list stops at its next segment.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from relay.errors import CallError, OperatorError, PermanentError
from relay.portal import PortalApi
from relay.tracking.filter_offset import measure_daily, time_filter_of
from relay.tracking.mirror import Mirror
from relay.tracking.parts import NOTHING, PartsSetting
from relay.tracking.row import TOMBSTONE
from relay.tracking.sweep_lists import (
    Listed,
    Segment,
    available_kinds,
    beside_rows,
    epoch,
    is_refusal,
    list_segments,
)
from relay.tracking.sweep_plan import finish, ids_to_hint, plan, set_kinds
from relay.tracking.sweep_state import BASELINE, CHANGED, COMPLETION, ListJob, SweepDocument
from relay.tracking.sweep_steps import Move, StepHints

KINDS_SECONDS = 3600
ANEW, LATER = "anew", "later"  # when a list that failed is read
LEASE_SECONDS = 1200  # more than the function's timeout of 900
GRACE_SECONDS = 30  # a change so young is left to its event, and to the next sweep


@dataclass(slots=True, kw_only=True)
class Sweep:
    """One sweep of one portal."""

    portal: str
    client: PortalApi
    mirror: Mirror
    document: SweepDocument
    # Puts ids of a kind into track's queue, with whether they are of a baseline.
    hint: Callable[[str, list[int], bool], Awaitable[None]]
    save: Callable[[], Awaitable[None]]  # stores the document
    setting: PartsSetting = NOTHING
    reconcile_days: float = 7
    grace_seconds: float = GRACE_SECONDS
    hinted: int = 0
    refused: int = 0
    errors: list[CallError] = field(default_factory=list)
    sample: dict[str, tuple[str, Listed]] = field(default_factory=dict)
    changed_ids: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    stopped: bool = False
    saving: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Read all lists, those left by an earlier sweep too; raises the first error at the end."""
        if time.time() - self.document.types_asked_at >= KINDS_SECONDS:
            names = await available_kinds(self.client, self.document.kinds, self.setting.kinds)
            if not names:  # a sweep of nothing must not pass for a sweep
                reason = "the reading webhook may list no kind of items; give it its rights back"
                raise OperatorError("sweep", "NOTHING_LISTED", reason)
            set_kinds(self.document, names, time.time())
        jobs = self._plan()
        # The clock is read before the lists, in the same request: commands run in their order.
        clock = asyncio.ensure_future(self._read_clock(jobs))
        steps = StepHints(
            portal=self.portal,
            client=self.client,
            mirror=self.mirror,
            document=self.document,
            setting=self.setting,
            grace_seconds=self.grace_seconds,
            errors=self.errors,
        )
        if await steps.begin(clock):
            await self.save()  # before an item is read that a list hints at
        moves = asyncio.ensure_future(steps.read())
        await _together(clock, moves, *(self._read(job, clock) for job in jobs if not job.done))
        await self._hint_moves(steps, moves.result(), clock.result())
        self._finish(jobs)
        await measure_daily(self.client, self.sample, self.document.filter_offsets, clock.result())
        await self.save()
        if self.errors:
            raise self.errors[0]

    def _plan(self) -> list[ListJob]:
        """Return the lists that earlier sweeps left, and new lists of all other kinds."""
        left = [job for job in self.document.jobs if not self.document.kinds[job.entity].refused]
        for job in left:
            job.failed = None
        entities = {job.entity for job in left}
        zone = timezone(timedelta(seconds=self.document.zone_offset_seconds))
        about_now = datetime.fromtimestamp(time.time() - self.document.clock_ahead_seconds, zone)
        fresh = plan(self.document, about_now, self.reconcile_days, self.setting)
        self.document.jobs = left + [job for job in fresh if job.entity not in entities]
        return self.document.jobs

    async def _read_clock(self, jobs: Sequence[ListJob]) -> datetime:
        """Return the portal's clock; notes how far ours is ahead of it, at most."""
        clock = datetime.fromisoformat(await self.client.call("server.time"))
        self.document.clock_ahead_seconds = time.time() - clock.timestamp()
        self.document.zone_offset_seconds = (clock.utcoffset() or timedelta()).total_seconds()
        for job in jobs:  # a list that is continued keeps the start of its own sweep
            job.started_at = job.started_at or clock.timestamp()
        return clock

    async def _read(self, job: ListJob, clock: Awaitable[datetime]) -> None:
        """Read a list to its end, and hint at each segment of it."""
        try:
            async for segment in list_segments(self.client, job.entity, job.after, job.since):
                await self._hint(job, segment, await clock)
                if not job.done:
                    async with self.saving:
                        await self.save()
                if self.stopped:
                    return
        except CallError as error:
            self._fail(job, error)
        except BaseException:
            self.stopped = True
            raise

    async def _hint(self, job: ListJob, segment: Segment, clock: datetime) -> None:
        """Hint at the items of a segment that may differ from their rows."""
        for item in segment.items:
            if item.updated:
                self.sample.setdefault(time_filter_of(job.entity), (job.entity, item))
        young, ahead = clock.timestamp() - self.grace_seconds, self.document.clock_ahead_seconds
        missing = 0
        async for listed, rows in beside_rows(self.mirror, self.portal, job, segment):
            new = listed.keys() - rows.keys()
            known = {key for key, row in rows.items() if row.kind != TOMBSTONE}
            job.item_count += len(listed.keys() | known)
            missing += sum(epoch(listed[key].updated) <= young for key in new)
            ids = ids_to_hint(job, listed, rows, young, ahead)
            await self._send(job.entity, ids, baseline=job.mode in {BASELINE, COMPLETION})
            if job.mode == CHANGED:
                self.changed_ids[job.entity].update(ids)
        job.missing_rows += missing
        job.highest_id = max([job.highest_id, *(item.id for item in segment.items)])
        job.done = segment.last is None
        job.after = job.after if segment.last is None else segment.last

    async def _hint_moves(
        self, steps: StepHints, moves: Mapping[str, Sequence[Move]], clock: datetime
    ) -> None:
        """Hint at items with moves between stages that no event reported."""
        for entity, of_kind in moves.items():
            ids = await steps.unannounced(of_kind, clock, self.changed_ids[entity])
            await self._send(entity, ids)
            steps.settle(entity, of_kind, clock)

    async def _send(self, entity: str, ids: list[int], *, baseline: bool = False) -> None:
        if ids:
            await self.hint(entity, ids, baseline)
            self.hinted += len(ids)

    def _fail(self, job: ListJob, error: CallError) -> None:
        """Note that a list can't be read; the head of this module says what follows."""
        if is_refusal(error):
            kind = self.document.kinds[job.entity]
            self.refused += not kind.refused  # a sweep reads two lists of a kind
            kind.refused = job.done = True
            return
        if isinstance(error, OperatorError):
            self.stopped = True
            raise error
        self.errors.append(error)
        job.failed = ANEW if isinstance(error, PermanentError) else LATER

    def _finish(self, jobs: Sequence[ListJob]) -> None:
        """Note the progress of kinds whose lists are all done; keep the lists to be continued."""
        anew = {job.entity for job in jobs if job.failed == ANEW}
        later = {job.entity for job in jobs if not job.done} - anew
        finish(self.document, [job for job in jobs if job.entity not in anew | later])
        self.document.jobs = [job for job in jobs if job.entity in later]


async def _together(*work: Awaitable[object]) -> None:
    """Wait until all work has ended; raises the first error."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
