"""Time to look: what events did not announce becomes hints. DESIGN 3.2 is the specification.

Never tells a change itself, and takes no absence for a deletion: it only makes track look.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from relay.errors import PortalError
from relay.portal import PortalApi
from relay.tracking.listing import Listed, Page, epoch, first_page, next_pages
from relay.tracking.offered import is_refusal, offered
from relay.tracking.plan import (
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
from relay.tracking.row import ITEM, Key, Known
from relay.tracking.shift import kind_of, measure

TYPES_SECONDS = 3600
LEASE_SECONDS = 1200  # more than the function's timeout of 900
SETTLED_SECONDS = 2  # times have whole seconds: a second edit within it would not show
GRACE_SECONDS = 30  # what has just changed is left to its event, and to the next sweep


class Rows(Protocol):
    """What is needed of the mirror here."""

    async def known(self, keys: Sequence[Key]) -> dict[Key, Known]:
        """Return what is known of these items."""

    async def range(self, portal: str, entity: str, low: int, high: int | None) -> dict[Key, Known]:
        """Return what is known of the items in a range of ids."""


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
    told: set[tuple[str, int]] = field(default_factory=set)
    refused: int = 0
    sample: dict[str, tuple[str, Listed]] = field(default_factory=dict)

    async def run(self) -> None:
        """Go through all lists, or through what an earlier sweep left of them."""
        if not self.document.get("jobs"):
            if time.time() - self.document.get("asked", 0) >= TYPES_SECONDS:
                set_types(self.document, await offered(self.client), time.time())
            self.document["jobs"] = plan(self.document, self._about_now(), self.reconcile_days)
        jobs = self.document["jobs"]
        open_jobs = [job for job in jobs if not job.get("done")]
        # The clock is read before the lists, in the same request: commands run in their order.
        asked = asyncio.ensure_future(self._clock())
        pages = await asyncio.gather(*(self._page(job, first_page) for job in open_jobs))
        clock = await asked
        for job in jobs:
            job.setdefault("clock", clock.timestamp())  # a killed sweep began at an earlier one
        await asyncio.gather(
            *(self._take(job, page, clock) for job, page in zip(open_jobs, pages, strict=True))
        )
        await self.save(self.document)
        for job in jobs:
            while not job.get("done"):
                await self._take(job, await self._page(job, next_pages), clock)
                await self.save(self.document)
        finish(self.document, jobs)
        self.document["jobs"] = []
        await self._measure(clock)
        await self.save(self.document)

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
    ) -> Page | None:
        """Return what follows in a list; None where its kind of items is refused."""
        try:
            return await pages(self.client, job["entity"], job["after"], job["since"])
        except PortalError as error:
            if not is_refusal(error):
                raise
            return None

    async def _take(self, job: Job, page: Page | None, clock: datetime) -> None:
        """Hint at what a page shows, and go on after it."""
        entity, after = job["entity"], job["after"]
        if page is None:
            # Gone or forbidden since the types were asked for; they are again within the hour.
            self.document["entities"][entity]["refused"] = job["done"] = True
            self.refused += 1
            return
        ids = await self._suspects(job, page, clock)
        ids = [number for number in ids if (entity, number) not in self.told]
        if ids:
            await self.hint(entity, ids, job["mode"] in {BASELINE, COMPLETION})
            self.told.update((entity, number) for number in ids)
        job["found"] += len(page.items)
        job["top"] = max([job["top"], *(item.id for item in page.items)])
        job["after"] = page.last if page.last is not None else after
        job["done"] = page.last is None

    async def _suspects(self, job: Job, page: Page, clock: datetime) -> list[int]:
        """Return the ids that track must look at, deleted ones perhaps among them."""
        entity, mode = job["entity"], job["mode"]
        keys = {Key(self.portal, entity, item.id): item for item in page.items}
        if mode == CHANGED:
            known = await self.mirror.known(list(keys))
        else:
            known = await self.mirror.range(self.portal, entity, job["after"], page.last)
        for item in page.items:
            if item.updated:
                self.sample.setdefault(kind_of(entity), (entity, item))
        young = clock.timestamp() - self.grace_seconds
        lacking = {
            key.id for key in keys.keys() - known.keys() if epoch(keys[key].updated) <= young
        }
        job["lacking"] += len(lacking)
        if mode == COMPLETION:
            return sorted(lacking) if job["again"] else []
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

    def _is_suspect(self, mode: str, item: Listed, row: Known | None, young: float) -> bool:
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
