"""A list method -> its items, page by page of 50, in the fewest requests.

Pages follow one another by id (`order id ASC`, `>id`, `start=-1`: no counting, and nothing shifts
while it is read; rest-protocol section 6). One request holds a chain of them: each begins at the
last id of the page before it, by a `$result` reference. Pages of an id set, or of a known range of
ids, need no such reference. A list in an order of its own is read by offset.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from relay.errors import PermanentError, PortalError
from relay.portal.known import MOST_COMMANDS
from relay.portal.unit import Chain, Params

PAGE = 50
# These name fields in camelCase, all others in capitals (rest-protocol 1.3).
_CAMEL = ("crm.item.", "crm.type.", "crm.category.", "catalog.", "sale.")
# These take the field and the direction of their order as two texts.
_FLAT_ORDER = ("user.get", "user.search", "department.get")

CallAll = Callable[[str, Sequence[Params]], Awaitable[Sequence[Any]]]
AskChain = Callable[[Chain], Awaitable[Sequence[Any]]]


class Listing:
    """One list as somebody asked for it."""

    def __init__(self, method: str, params: Params, call_all: CallAll, ask: AskChain) -> None:
        """Take how to make independent calls together, and how to ask for a chain of pages."""
        self._method = method
        self._call_all = call_all
        self._ask = ask
        self._id = "id" if method.lower().startswith(_CAMEL) else "ID"
        names = {name.lower(): name for name in params}
        self._filter_name = names.get("filter", "filter")
        self._filter: dict[str, Any] = dict(params.get(self._filter_name) or {})
        self._params = dict(params)
        order = params.get(names.get("order", "order"))
        self._own_order = not (order is None or _is_by_id(order)) or "sort" in names
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
        path, items = _unwrap(result)
        yield items
        while len(items) == PAGE:
            name, last = _id_of(items[-1])
            after = f"{path}[{PAGE - 1}][{name}]"
            outcomes = await self._ask(self._chain(last, after))
            for at, outcome in enumerate(outcomes):
                problem = outcome if isinstance(outcome, PortalError) else None
                following = [] if problem else items_of(outcome)
                # A reference that was not replaced gives an error, or the list from its beginning.
                if following and _id_of(following[0])[1] <= last:
                    said = "it does not go on after an id; give it an `order`"
                    problem = PermanentError(self._method, "NOT_PAGED_BY_ID", said)
                if problem and at == 0:
                    raise problem
                if problem:
                    break
                items = following
                yield items
                if len(items) != PAGE:
                    return
                last = _id_of(items[-1])[1]

    def _chain(self, last: int, after: str) -> Chain:
        def page(key: str | None) -> Params:
            return self._by_id(
                **{f">{self._id}": last if key is None else f"$result[{key}]{after}"}
            )

        return Chain(self._method, MOST_COMMANDS, page)

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


def _is_by_id(order: Any) -> bool:
    if not isinstance(order, Mapping):
        return False
    return [(str(k).lower(), str(v).lower()) for k, v in order.items()] == [("id", "asc")]


def _id_of(item: Any) -> tuple[str, int]:
    name = "id" if "id" in item else "ID"
    return name, int(item[name])


def items_of(result: Any) -> list[Any]:
    """Return the items of a list's result, whatever they are wrapped in."""
    return _unwrap(result)[1]


def _unwrap(result: Any) -> tuple[str, list[Any]]:
    """Return the path to the items as `$result` takes it, and the items."""
    if isinstance(result, list):
        return "", result
    if isinstance(result, Mapping):
        for key, value in result.items():
            if isinstance(value, list):
                return f"[{key}]", value
        if all(str(key).isdecimal() for key in result):  # a PHP array with gaps
            return "", list(result.values())
        if len(result) == 1:
            ((key, value),) = result.items()
            if isinstance(value, Mapping):
                return f"[{key}]", list(value.values())
    raise TypeError("not the result of a list")
