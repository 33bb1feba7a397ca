"""Time to look: what events did not announce becomes hints. DESIGN 3.2 is the specification.

Never tells a change itself, and takes no absence for a deletion: it only makes track look.

A list that fails leaves the other kinds alone. What is not the whole portal's trouble:
  the kind is refused           its lists are done with, its times stay, the types are asked hourly
  another permanent error       a mistake of ours: its lists begin anew with the next sweep
  wait, or the answer was lost  the next sweep goes on where this one was, beside the other kinds
The last two are raised at the end, so that they are counted and logged. Errors of the whole portal,
of the queue and of the tables end the sweep at once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Protocol

from relay.errors import CallError, OperatorError, PermanentError
from relay.portal import PortalApi
from relay.tracking.available_kinds import is_refusal, offered
from relay.tracking.filter_offset import measure, time_filter_of
from relay.tracking.row import ITEM, Key, RowSummary
from relay.tracking.sweep_lists import Listed, Page, epoch, first_page, next_pages
from relay.tracking.sweep_plan import (
    BASELINE,
    CHANGED,
    COMPLETION,
    DAY_SECONDS,
    NEW,
    RECONCILE,
    Document,
    Job,
    finish,
    plan,
    set_types,
)

TYPES_SECONDS = 3600
ANEW, LATER = "anew", "later"  # when a list that failed is read
LEASE_SECONDS = 1200  # more than the function's timeout of 900
SETTLED_SECONDS = 2  # times have whole seconds: a second edit within it would not show
GRACE_SECONDS = 30  # what has just changed is left to its event, and to the next sweep


class Failed(NamedTuple):
    """A list that could not be read, for a reason that concerns this list alone."""

    error: CallError


class Rows(Protocol):
    """What is needed of the mirror here."""

    async def known(self, keys: Sequence[Key]) -> dict[Key, RowSummary]:
        """Return what is known of these items."""

    def range(
        self, portal: str, entity: str, low: int, high: int | None
    ) -> AsyncIterator[dict[Key, RowSummary]]:
        """Yield what is known of the items in a range of ids, in their order, page by page."""


@dataclass(slots=True, kw_only=True)
class Sweep:
    """One sweep of one portal.

    `hint` puts ids into track's queue, `save` keeps the document; both raise where they can't.
    """

    portal: str
    client: PortalApi
    mirror: Rows
    document: Document
    hint: Callable[[str, list[int], bool], Awaitable[None]]
    save: Callable[[Document], Awaitable[None]]
    reconcile_days: float = 7
    grace_seconds: float = GRACE_SECONDS
    hinted: int = 0
    refused: int = 0
    errors: list[CallError] = field(default_factory=list)
    sample: dict[str, tuple[str, Listed]] = field(default_factory=dict)

    async def run(self) -> None:
        """Go through all lists, what an earlier sweep left of them included.

        Raises the first error of a list when all others are done.
        """
        if time.time() - self.document.get("asked", 0) >= TYPES_SECONDS:
            names = await offered(self.client, set(self.document.get("entities", {})))
            set_types(self.document, names, time.time())
        jobs = self._jobs()
        open_jobs = [job for job in jobs if not job.get("done")]
        # The clock is read before the lists, in the same request: commands run in their order.
        clock, *pages = await _together(
            self._clock(), *(self._page(job, first_page) for job in open_jobs)
        )
        for job in jobs:
            job.setdefault("clock", clock.timestamp())  # a killed sweep began at an earlier one
        await _together(
            *(self._take(job, page, clock) for job, page in zip(open_jobs, pages, strict=True))
        )
        await self.save(self.document)
        for job in jobs:
            while not (job.get("done") or job.get("failed")):
                await self._take(job, await self._page(job, next_pages), clock)
                await self.save(self.document)
        self._finish(jobs)
        await self._measure(clock)
        await self.save(self.document)
        if self.errors:
            raise self.errors[0]

    def _jobs(self) -> list[Job]:
        """Return what earlier sweeps left, and new lists of the kinds of which nothing is left."""
        entities = self.document["entities"]
        left = [
            job
            for job in self.document.get("jobs", [])
            if not entities[job["entity"]].get("refused")
        ]
        for job in left:
            job.pop("failed", None)
        on_the_way = {job["entity"] for job in left}
        fresh = plan(self.document, self._about_now(), self.reconcile_days)
        jobs: list[Job] = left + [job for job in fresh if job["entity"] not in on_the_way]
        self.document["jobs"] = jobs
        return jobs

    def _finish(self, jobs: list[Job]) -> None:
        """Note what is done of each kind; what is not is left to the next sweep."""
        anew = {job["entity"] for job in jobs if job.get("failed") == ANEW}
        going_on = {job["entity"] for job in jobs if not job.get("done")} - anew
        finish(self.document, [job for job in jobs if job["entity"] not in anew | going_on])
        self.document["jobs"] = [job for job in jobs if job["entity"] in going_on]

    async def _clock(self) -> datetime:
        """Return the portal's clock, and note how far ours is ahead of it, at most."""
        clock = datetime.fromisoformat(await self.client.call("server.time"))
        self.document["ahead"] = time.time() - clock.timestamp()
        self.document["offset"] = (clock.utcoffset() or timedelta()).total_seconds()
        return clock

    def _about_now(self) -> datetime:
        """Return about what the portal's clock shows, by what the last sweep saw of it."""
        offset = timezone(timedelta(seconds=self.document.get("offset", 0)))
        return datetime.fromtimestamp(time.time() - self.document.get("ahead", 0), offset)

    async def _page(
        self, job: Job, pages: Callable[[PortalApi, str, int, str | None], Awaitable[Page]]
    ) -> Page | Failed:
        """Return what follows in a list, or the error that concerns this list alone."""
        try:
            return await pages(self.client, job["entity"], job["after"], job["since"])
        except CallError as error:
            if isinstance(error, OperatorError) and not is_refusal(error):
                raise
            return Failed(error)

    async def _take(self, job: Job, page: Page | Failed, clock: datetime) -> None:
        """Hint at what a page shows, and go on after it."""
        entity, after = job["entity"], job["after"]
        if isinstance(page, Failed):
            self._fail(job, page.error)
            return
        for item in page.items:
            if item.updated:
                self.sample.setdefault(time_filter_of(entity), (entity, item))
        lacking = 0
        young = clock.timestamp() - self.grace_seconds
        async for listed, known in self._slices(job, page):
            new = listed.keys() - known.keys()
            lacking += sum(epoch(listed[key].updated) <= young for key in new)
            ids = self._suspects(job, listed, known, young)
            if ids:
                await self.hint(entity, ids, job["mode"] in {BASELINE, COMPLETION})
                self.hinted += len(ids)
        job["lacking"] += lacking
        job["found"] += len(page.items)
        job["top"] = max([job["top"], *(item.id for item in page.items)])
        job["after"] = page.last if page.last is not None else after
        job["done"] = page.last is None

    def _fail(self, job: Job, error: CallError) -> None:
        """Note that a list can't be read; the head of this module says what follows."""
        if is_refusal(error):
            self.document["entities"][job["entity"]]["refused"] = job["done"] = True
            self.refused += 1
            return
        self.errors.append(error)
        job["failed"] = ANEW if isinstance(error, PermanentError) else LATER

    async def _slices(
        self, job: Job, page: Page
    ) -> AsyncIterator[tuple[dict[Key, Listed], dict[Key, RowSummary]]]:
        """Yield the listed items of a page beside the rows of the same ids, in bounded parts.

        A list that ends early, as an owner's who lost rights, has a million rows behind it.
        """
        entity, mode = job["entity"], job["mode"]
        keys = {Key(self.portal, entity, item.id): item for item in page.items}
        if mode == CHANGED:
            # What is beyond belongs to the list of new ids, which looks at it in any case.
            keys = {key: item for key, item in keys.items() if key.id <= job.get("upto", key.id)}
            yield keys, await self.mirror.known(list(keys))
            return
        async for known in self.mirror.range(self.portal, entity, job["after"], page.last):
            last = max(known)
            yield {key: item for key, item in keys.items() if key <= last}, known
            keys = {key: item for key, item in keys.items() if key > last}
        yield keys, {}

    def _suspects(
        self, job: Job, keys: dict[Key, Listed], known: dict[Key, RowSummary], young: float
    ) -> list[int]:
        """Return the ids that track must look at, deleted ones perhaps among them."""
        mode = job["mode"]
        if mode == COMPLETION:
            lacking = keys.keys() - known.keys() if job["again"] else set()
            return sorted(key.id for key in lacking if epoch(keys[key].updated) <= young)
        suspects = {
            key.id
            for key, item in keys.items()
            if mode in {BASELINE, RECONCILE} or self._is_suspect(mode, item, known.get(key), young)
        }
        if mode not in {CHANGED, BASELINE}:
            suspects |= {
                key.id for key, row in known.items() if key not in keys and row.kind == ITEM
            }
        return sorted(suspects)

    def _is_suspect(self, mode: str, item: Listed, row: RowSummary | None, young: float) -> bool:
        updated = epoch(item.updated)
        if mode in {CHANGED, NEW} and updated > young:
            return False
        if row is None or row.kind != ITEM or row.updated != item.updated:
            return True
        ahead: float = self.document["ahead"]
        return row.read_at - ahead < updated + SETTLED_SECONDS

    async def _measure(self, clock: datetime) -> None:
        """Measure once a day how far off times in filters are."""
        shift: dict[str, Any] = self.document.setdefault("shift", {})
        for kind, (entity, item) in self.sample.items():
            if clock.timestamp() - shift.get(kind, (0, 0))[1] < DAY_SECONDS:
                continue
            updated = datetime.fromisoformat(item.updated).astimezone(clock.tzinfo)
            seconds = await measure(self.client, entity, item.id, updated)
            if seconds is not None:
                shift[kind] = [seconds, clock.timestamp()]


async def _together(*work: Awaitable[Any]) -> list[Any]:
    """Return all results once nothing is under way any more; raises the first error."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
