"""A list method -> its items, page by page of 50, in the fewest requests.

Pages follow one another by id (`order id ASC`, `>id`, `start=-1`: no counting, and nothing shifts
while it is read; rest-protocol section 6). One request holds a chain of them: each begins at the
last id of the page before it, by a `$result` reference. The request after the first page also asks
for the last id: where ids are dense, what remains is cut into ranges of which one request holds
each, and two are read at a time. Pages of an id set, or of a narrow range of ids, need no
reference. A list in an order of its own is read by offset.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from relay.errors import CallError, PermanentError
from relay.portal.pages import id_of, is_by_id, items_of, unwrap
from relay.portal.pending import Params, PendingPages
from relay.portal.webhook_state import MOST_COMMANDS

PAGE = 50
AHEAD = 2  # requests whose items are held in memory
# These name fields in camelCase, all others in capitals (rest-protocol 1.3).
_CAMEL = ("crm.item.", "crm.type.", "crm.category.", "catalog.", "sale.")
# These take the field and the direction of their order as two texts.
_FLAT_ORDER = ("user.get", "user.search", "department.get")

CallAll = Callable[[str, Sequence[Params]], Awaitable[Sequence[Any]]]
AskChain = Callable[[PendingPages], Awaitable[Sequence[Any]]]


class Listing:
    """One list as somebody asked for it."""

    def __init__(self, method: str, params: Params, call_all: CallAll, ask: AskChain) -> None:
        """Take how to make independent calls together, and how to ask for a chain of pages."""
        self._method = method
        self._call_all = call_all
        self._ask = ask
        self._next = ""  # where a page's last id is, for a reference to it
        self._id = "id" if method.lower().startswith(_CAMEL) else "ID"
        names = {name.lower(): name for name in params}
        self._filter_name = names.get("filter", "filter")
        self._filter: dict[str, Any] = dict(params.get(self._filter_name) or {})
        self._params = dict(params)
        order = params.get(names.get("order", "order"))
        self._own_order = not (order is None or is_by_id(order)) or "sort" in names
        if not self._own_order:
            self._params.pop(names.get("order", ""), None)

    async def pages(self) -> AsyncIterator[list[Any]]:
        """Yield the pages in order."""
        found = self._independent()
        if self._own_order:
            pages = self._by_offset()
        elif found is None:
            pages = self._by_chain()
        else:
            pages = self._all_of(found)
        async for page in pages:
            yield page

    def _by_id(self, **conditions: Any) -> Params:
        """Return the parameters of a page that begins after an id."""
        order: Params = {"order": {self._id: "ASC"}}
        if self._method.lower() in _FLAT_ORDER:
            order = {"sort": self._id, "order": "ASC"}
        wanted = {**self._filter, **conditions}
        return {**self._params, self._filter_name: wanted, **order, "start": -1}

    def _independent(self) -> list[Params] | None:
        """Return the pages of an id set or of a narrow range; None where they are unknown."""
        for name in (f"@{self._id}", self._id):
            ids = self._filter.get(name)
            if isinstance(ids, list | tuple):
                ids = list(dict.fromkeys(ids))
                return [
                    self._by_id(**{name: ids[at : at + PAGE]}) for at in range(0, len(ids), PAGE)
                ]
        low, high = self._bound(">", 1), self._bound("<", -1)
        if low is None or high is None or high - low >= PAGE * MOST_COMMANDS:
            return None
        edges = range(low, high + 1, PAGE)
        for sign in (">", ">=", "<", "<="):
            self._filter.pop(sign + self._id, None)
        return [
            self._by_id(**{f">={self._id}": edge, f"<={self._id}": min(edge + PAGE - 1, high)})
            for edge in edges
        ]

    def _bound(self, sign: str, inward: int) -> int | None:
        """Return the last id that a condition lets through on its side."""
        strict, loose = self._filter.get(sign + self._id), self._filter.get(f"{sign}={self._id}")
        if strict is not None and loose is None:
            return int(strict) + inward
        return int(loose) if loose is not None and strict is None else None

    async def _all_of(self, pages: list[Params]) -> AsyncIterator[list[Any]]:
        for at in range(0, len(pages), MOST_COMMANDS):
            for result in await self._call_all(self._method, pages[at : at + MOST_COMMANDS]):
                yield items_of(result)

    async def _by_chain(self) -> AsyncIterator[list[Any]]:
        (result,) = await self._call_all(self._method, [self._by_id()])
        path, page = unwrap(result)
        yield page
        if len(page) != PAGE:
            return
        name, first = id_of(page[0])
        last = id_of(page[-1])[1]
        self._next = f"{path}[{PAGE - 1}][{name}]"
        outcomes, end = await asyncio.gather(self._ask(self._chain(last)), self._last_id())
        count = PAGE
        for page in self._read(last, outcomes):
            yield page
            count += len(page)
            last = id_of(page[-1])[1] if page else last
        del outcomes  # they would stay in memory as long as the list is read
        if len(page) != PAGE:
            return
        if end is not None:
            ranges = range(last, end, PAGE * MOST_COMMANDS)
            items = count / (last - first + 1) * (end - last)
            if 1 < len(ranges) <= math.ceil(items / ranges.step):
                async for page in self._by_ranges(ranges, end):
                    yield page
                return
        async for page in self._go_on(last, end):
            yield page

    async def _go_on(
        self, last: int, end: int | None, *, dense: bool = False
    ) -> AsyncIterator[list[Any]]:
        """Yield the pages after an id, one chain after the other."""
        while end is None or last < end:
            page: list[Any] = []
            for page in self._read(last, await self._ask(self._chain(last, end, dense=dense))):
                yield page
            if len(page) != PAGE:
                return
            last = id_of(page[-1])[1]

    async def _by_ranges(self, ranges: range, end: int) -> AsyncIterator[list[Any]]:
        """Yield the pages of ranges of ids, the next of which is read meanwhile."""

        async def read(last: int) -> list[list[Any]]:
            upto = min(last + ranges.step, end)
            return [page async for page in self._go_on(last, upto, dense=True)]

        coming: deque[asyncio.Task[list[list[Any]]]] = deque()
        try:
            for at, last in enumerate(ranges):
                coming.append(asyncio.create_task(read(last)))
                while len(coming) == AHEAD or (coming and at == len(ranges) - 1):
                    pages = deque(await coming.popleft())
                    while pages:  # each is given away before the next one: memory
                        yield pages.popleft()
        finally:
            for task in coming:
                task.cancel()

    def _read(self, last: int, outcomes: Sequence[Any]) -> Iterator[list[Any]]:
        """Yield the pages of a chain up to a short one, or to one that has to be asked for again.

        Raises where the first is such a one.
        """
        for at, outcome in enumerate(outcomes):
            problem = outcome if isinstance(outcome, CallError) else None
            page = [] if problem else items_of(outcome)
            # A reference that was not replaced gives an error, or the list from its beginning.
            if page and id_of(page[0])[1] <= last:
                said = "it does not go on after an id; give it an `order`"
                problem = PermanentError(self._method, "NOT_PAGED_BY_ID", said)
            if problem and at == 0:
                raise problem
            if problem:
                return
            yield page
            if len(page) != PAGE:
                return
            last = id_of(page[-1])[1]

    def _chain(self, last: int, end: int | None = None, *, dense: bool = False) -> PendingPages:
        bound = {} if end is None else {f"<={self._id}": end}
        most = MOST_COMMANDS if end is None else min(-(-(end - last) // PAGE), MOST_COMMANDS)

        def page(key: str | None) -> Params:
            after = last if key is None else f"$result[{key}]{self._next}"
            return self._by_id(**{f">{self._id}": after}, **bound)

        # Dense ranges that shared their requests would only wait for each other.
        return PendingPages(self._method, page, least=most if dense else 1, most=most)

    async def _last_id(self) -> int | None:
        """Return the highest id of the list, None where that can't be had."""
        asked = dict(self._by_id(), select=[self._id])
        if isinstance(asked["order"], Mapping):
            asked["order"] = {self._id: "DESC"}
        else:
            asked["order"] = "DESC"
        try:
            (result,) = await self._call_all(self._method, [asked])
        except CallError:
            return None
        ids = [id_of(item)[1] for item in items_of(result)]
        return ids[0] if ids and ids == sorted(ids, reverse=True) else None

    async def _by_offset(self) -> AsyncIterator[list[Any]]:
        start, count = int(self._params.get("start", 0)), 1
        while True:
            starts = [start + PAGE * number for number in range(count)]
            asked: list[Params] = [{**self._params, "start": at} for at in starts]
            for result in await self._call_all(self._method, asked):
                items = items_of(result)
                yield items
                if len(items) != PAGE:
                    return
            start, count = starts[-1] + PAGE, min(count * 4, MOST_COMMANDS)
