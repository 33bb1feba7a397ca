"""Looks up interrupted creates of tasks; those that are looked up together share one listing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from relay.echo.stamps import Stamp
from relay.errors import MayHaveRunError
from relay.field_names import plain
from relay.portal import PortalApi
from relay.portal.api import Params, Result

CLOCK = timedelta(minutes=5)  # how far the portal's clock may be from ours
SHIFT = timedelta(hours=14)  # filters by time are read in another zone (rest-protocol section 15)
_FIELDS = ["ID", "TITLE", "XML_ID", "CREATED_DATE"]


@dataclass(slots=True, eq=False)
class _LostTask:
    """A create of a task, `begin` the earliest time at which it can have run."""

    stamp: str
    title: str
    begin: datetime
    found: asyncio.Future[Result]
    is_unclear: bool = False

    def compare(self, task: Result) -> None:
        """Note whether a task of the portal is the lost one, or may be."""
        if self.found.done():
            return
        if task.get("xmlId") == self.stamp:
            self.found.set_result({"task": task})
        elif not task.get("xmlId") and str(task.get("title")) == self.title:
            self.is_unclear |= datetime.fromisoformat(task["createdDate"]) >= self.begin

    def end(self, error: Exception | None = None) -> None:
        """End the lookup after the last task, or with the error of the listing."""
        if self.found.done():
            return
        if self.is_unclear and error is None:
            text = "a task of this title without a stamp was made since; is it this one?"
            error = MayHaveRunError("tasks.task.add", "UNCLEAR", text)
        if error is None:
            self.found.set_result(None)
        else:
            self.found.set_exception(error)
            self.found.exception()  # the caller may be gone


class TaskLookup:
    """The lookups of tasks in one portal, in one event loop.

    A task that is missing in a listing proves something only to lookups that were begun before it:
    the later ones wait for the next listing.
    """

    def __init__(self, portal: PortalApi) -> None:
        self._portal = portal
        self._waiting: list[_LostTask] = []
        self._task: asyncio.Task[None] | None = None

    async def find(self, fields: Params, stamp: Stamp, since: float) -> Result:
        """Return the result of a create with these fields that has run since a time (epoch s).

        None if it has not. Raises MayHaveRunError where a task may be another's, or a CallError.
        """
        title = next((str(value) for name, value in fields.items() if plain(name) == "title"), "")
        begin = datetime.fromtimestamp(since, UTC) - CLOCK
        loop = asyncio.get_running_loop()
        lost = _LostTask(stamp["XML_ID"], title, begin, loop.create_future())
        self._waiting.append(lost)
        if self._task is None:
            self._task = loop.create_task(self._work())
        return await asyncio.shield(lost.found)

    async def _work(self) -> None:
        try:
            while self._waiting:
                listed, self._waiting = self._waiting, []
                await self._look_up(listed)
        finally:
            self._task = None

    async def _look_up(self, lost: Sequence[_LostTask]) -> None:
        begin = min(each.begin for each in lost) - SHIFT
        by_time = {">=CREATED_DATE": begin.isoformat(timespec="seconds")}
        error: Exception | None = None
        try:
            async for task in self._portal.list("tasks.task.list", filter=by_time, select=_FIELDS):
                for each in lost:
                    each.compare(task)
                if all(each.found.done() for each in lost):
                    break
        except Exception as raised:  # noqa: BLE001  every lookup must get an end
            error = raised
        for each in lost:
            each.end(error)
