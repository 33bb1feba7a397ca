"""A list method -> its items, page by page, in as few requests as possible.

Pages follow one another by id (`order id ASC`, `>id`, `start=-1`): the portal does not count, and
items that come or go meanwhile shift no page (rest-protocol section 6). One request holds a chain
of pages: each begins at the last id of the page before it, by a `$result` reference. The pages
of a set of ids need no reference. A list in the caller's own order is read by offset.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

from relay.errors import CallError, PermanentError
from relay.portal.api import Json, Outcome, Params, Result
from relay.portal.batch import MAX_COMMANDS
from relay.portal.pages import PAGE_ITEMS, id_of, is_by_id, items_of, unwrap
from relay.portal.pending import PendingPages

# These methods write fields in camelCase, all others in capitals (rest-protocol 1.3).
_CAMEL_CASE = ("crm.item.", "crm.type.", "crm.category.", "catalog.", "sale.")
# These take the field and the direction of their order as two texts.
_FLAT_ORDER = ("user.get", "user.search", "department.get")
# Lists with other pages than the rest; they take no filter by id.
_PAGE_ITEMS = {"crm.timeline.logmessage.list": 10}

# A page of these may lack items though more follow: the portal cuts it off before it drops what its
# join with rights shows twice, and what is deleted meanwhile (`Factory::getItems` in Bitrix' core).
_SHORT_PAGES = {"crm.item.list": 40}

CallAll = Callable[[str, Sequence[Params]], Awaitable[Sequence[Json]]]
ReadChain = Callable[[PendingPages], Awaitable[Sequence[Outcome]]]


class Listing:
    """One list that a caller reads."""

    def __init__(
        self, method: str, params: Params, call_all: CallAll, read_chain: ReadChain
    ) -> None:
        """Take the method, its parameters and two ways to call it.

        `call_all` makes independent calls and returns their results; `read_chain` sends a chain of
        pages and returns the outcomes of those that fitted into the request.
        """
        self._method = method
        self._call_all = call_all
        self._read_chain = read_chain
        self._page_items = _PAGE_ITEMS.get(method.lower(), PAGE_ITEMS)
        self._least = _SHORT_PAGES.get(method.lower(), PAGE_ITEMS)  # fewer items end the list
        self._id = "id" if method.lower().startswith(_CAMEL_CASE) else "ID"
        names = {name.lower(): name for name in params}
        self._filter_name = names.get("filter", "filter")
        conditions = params.get(self._filter_name) or {}
        if not isinstance(conditions, Mapping):
            raise TypeError(f"{method}: a filter is a dict, not a {type(conditions).__name__}")
        self._filter: dict[str, object] = dict(conditions)
        self._params = dict(params)
        order = params.get(names.get("order", "order"))
        self._own_order = not (order is None or is_by_id(order)) or "sort" in names
        if not self._own_order:
            self._params.pop(names.get("order", ""), None)

    def pages(self) -> AsyncIterator[list[Result]]:
        """Iterate over the items of each page, in order."""
        if self._own_order or self._page_items != PAGE_ITEMS:
            return self._by_offset()
        pages_of_ids = self._pages_of_ids()
        return self._by_chain() if pages_of_ids is None else self._all_of(pages_of_ids)

    def _by_id(self, **conditions: object) -> Params:
        """Return the parameters of a page in the order of ids, with more conditions."""
        order: dict[str, object] = {"order": {self._id: "ASC"}}
        if self._method.lower() in _FLAT_ORDER:
            order = {"sort": self._id, "order": "ASC"}
        filters = {**self._filter, **conditions}
        return {**self._params, self._filter_name: filters, **order, "start": -1}

    def _pages_of_ids(self) -> list[Params] | None:
        """Return the parameters of all pages for a filter by a set of ids, else None."""
        for name in (f"@{self._id}", self._id):
            ids = self._filter.get(name)
            if isinstance(ids, list | tuple):
                ids = list(dict.fromkeys(ids))
                starts = range(0, len(ids), PAGE_ITEMS)
                return [self._by_id(**{name: ids[at : at + PAGE_ITEMS]}) for at in starts]
        return None

    async def _all_of(self, pages: Sequence[Params]) -> AsyncIterator[list[Result]]:
        for at in range(0, len(pages), MAX_COMMANDS):
            for result in await self._call_all(self._method, pages[at : at + MAX_COMMANDS]):
                yield items_of(result)

    async def _by_chain(self) -> AsyncIterator[list[Result]]:
        (result,) = await self._call_all(self._method, [self._by_id()])
        path, page = unwrap(result)
        if self._goes_on(page) and not {"id", "ID"} & page[-1].keys():
            async for page in self._by_offset():  # currencies, addresses: no id to go on from
                yield page
            return
        yield page
        while self._goes_on(page):
            id_name, last = id_of(page[-1])
            chain = self._chain(last, f"{path}[{PAGE_ITEMS - 1}][{id_name}]")
            for page in self._pages_of(last, await self._read_chain(chain)):
                yield page

    def _goes_on(self, page: Sequence[Result]) -> bool:
        """Return whether more may follow a page; a method without pages answers larger ones."""
        return self._least <= len(page) <= PAGE_ITEMS

    def _chain(self, last: int, last_id_path: str) -> PendingPages:
        """Return a chain of pages after an id; `last_id_path` leads to the last id of a page."""

        def page(key: str | None) -> Params:
            after = last if key is None else f"$result[{key}]{last_id_path}"
            return self._by_id(**{f">{self._id}": after})

        return PendingPages(self._method, page, max_commands=MAX_COMMANDS)

    def _pages_of(self, last: int, outcomes: Sequence[Outcome]) -> Iterator[list[Result]]:
        """Yield the pages of a chain up to the end of the list, or to a page to read again."""
        # A page that failed, or begins before the id `last` of the page before it, is read again in
        # the next chain. Raises if it is the first of its chain.
        for at, outcome in enumerate(outcomes):
            problem = outcome if isinstance(outcome, CallError) else None
            page = [] if isinstance(outcome, CallError) else items_of(outcome)
            # A reference that the portal did not replace gives the beginning of the list.
            if page and id_of(page[0])[1] <= last:
                advice = "it does not go on after an id; give it an `order`"
                problem = PermanentError(self._method, "NOT_PAGED_BY_ID", advice)
            if problem and at == 0:
                raise problem
            if problem:
                return
            yield page
            if not self._goes_on(page):
                return
            last = id_of(page[-1])[1]

    async def _by_offset(self) -> AsyncIterator[list[Result]]:
        # A `start` of -1, without counting, begins where 0 does.
        start, count = max(int(str(self._params.get("start", 0))), 0), 1
        while True:
            starts = [start + self._page_items * at for at in range(count)]
            pages: list[Params] = [{**self._params, "start": at} for at in starts]
            for result in await self._call_all(self._method, pages):
                items = items_of(result)
                yield items
                if len(items) != self._page_items:
                    return
            start, count = starts[-1] + self._page_items, min(count * 4, MAX_COMMANDS)
