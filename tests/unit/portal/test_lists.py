"""A list is read whole, in the fewest requests, however its method wraps and names things."""

import asyncio
import json
from bisect import bisect_left

import pytest

from relay.errors import PermanentError, TransientError
from relay.portal import Portal
from relay.portal.pages import items_of

from .conftest import reply


class Table:
    """Rows of a portal with these ids, as its list methods give them."""

    def __init__(self, ids, name="id", wrap="items"):
        """Take the ids, what they are called, and what the list is wrapped in."""
        self.ids, self.name, self.wrap = list(ids), name, wrap

    def __call__(self, method, params):
        """Return a page; what is no number is refused as the portal does."""
        low, high, chosen = 0, 10**9, None
        for name, value in (params.get("filter") or {}).items():
            if name.upper() in {"@ID", "ID"}:
                chosen = {int(number) for number in value}
            elif name.upper().endswith("ID"):
                if not str(value).isdecimal():
                    raise PermanentError(method, "INVALID_ARG_VALUE", "has invalid value")
                bound = int(value)
                low = max(low, bound + (name[1] != "=") if name[0] == ">" else 0)
                high = min(high, bound - (name[1] != "=") if name[0] == "<" else high)
        ids = self.ids[bisect_left(self.ids, low) : bisect_left(self.ids, high + 1)]
        ids = [number for number in ids if chosen is None or number in chosen]
        if "DESC" in str(params.get("order")):
            ids.reverse()
        page = [{self.name: number} for number in ids[max(int(params.get("start", 0)), 0) :][:50]]
        return {self.wrap: page} if self.wrap else page


def read(clock, portal, method="crm.item.list", **params):
    """Return the ids of a whole list."""

    async def all_of_it():
        return [int(item.get("id") or item["ID"]) async for item in portal.list(method, **params)]

    return clock.run(all_of_it())


@pytest.mark.parametrize(
    "sizes", [(0, 1), (49, 1), (50, 2), (51, 2), (2549, 2), (2550, 3), (10_000, 5)]
)
@pytest.mark.parametrize("gap", [1, 7])
def test_pages_chain_within_a_request(wire, clock, webhook, sizes, gap):
    """The first page tells whether there are more; then fifty pages are one request."""
    count, requests = sizes
    ids = list(range(5, 5 + count * gap, gap))
    wire.answer = Table(ids)
    assert read(clock, Portal(webhook), entityTypeId=2) == ids
    assert len(wire.requests) == requests
    first = wire.requests[0][1]
    assert (first["order"], first["start"], first["entityTypeId"]) == ({"id": "ASC"}, -1, 2)


@pytest.mark.parametrize(
    "family",
    [
        ("crm.deal.list", ("ID", ""), {"order": {"ID": "ASC"}}),
        ("tasks.task.list", ("id", "tasks"), {"order": {"ID": "ASC"}}),
        ("user.get", ("ID", ""), {"sort": "ID", "order": "ASC"}),
        ("crm.item.list", ("id", "items"), {"order": {"id": "ASC"}}),
    ],
)
def test_each_family_is_asked_in_its_own_words(wire, clock, webhook, family):
    """Fields in capitals or not, wrapped or not."""
    method, table, order = family
    wire.answer = Table(range(1, 121), *table)
    assert read(clock, Portal(webhook), method, filter={"!STAGE": "X"}) == list(range(1, 121))
    assert order.items() <= wire.requests[0][1].items()
    assert len(wire.requests) == 2


@pytest.mark.parametrize("ids", [range(1, 601), range(1, 6001, 10)])
def test_a_long_filter_leaves_room_for_fewer_pages(wire, clock, webhook, ids):
    """Each page of a chain repeats it, and a request stays as small as web servers accept."""
    wire.answer = Table(ids)
    assert read(clock, Portal(webhook), filter={"title": "a" * 240_000}) == list(ids)
    sizes = [len(json.dumps(body)) for _, body in wire.requests]
    assert max(sizes) < 1_300_000
    assert len(sizes) == 4


def test_an_order_by_id_is_our_own(wire, clock, webhook):
    """Saying what happens anyway changes nothing."""
    wire.answer = Table(range(1, 61))
    assert len(read(clock, Portal(webhook), order={"ID": "asc"})) == 60
    assert wire.requests[0][1]["start"] == -1


@pytest.mark.parametrize("order", [{"title": "ASC"}, {"id": "DESC"}, "ASC"])
def test_another_order_is_read_by_offset(wire, clock, webhook, order):
    """Pages grow in number until one is short."""
    wire.answer = Table(range(1, 421))
    assert len(read(clock, Portal(webhook), order=order)) == 420
    assert [len(body.get("cmd", [1])) for _, body in wire.requests] == [1, 4, 16]


@pytest.mark.parametrize(
    "asked", [("crm.item.list", "@id"), ("tasks.task.list", "ID"), ("user.get", "@ID")]
)
@pytest.mark.parametrize("sizes", [(0, 0), (10, 1), (1000, 1), (2500, 1), (2600, 2)])
def test_an_id_set_is_cut_into_independent_pages(wire, clock, webhook, asked, sizes):
    """A thousand ids are twenty commands of one request; 2,500 are fifty of one."""
    (method, name), (count, requests) = asked, sizes
    wire.answer = lambda _, params: [{"id": number} for number in params["filter"][name]]
    ids = list(range(2, count + 2))
    assert read(clock, Portal(webhook), method, filter={name: ids + ids[:1]}) == ids
    assert len(wire.requests) == requests


@pytest.mark.parametrize(
    "bounds",
    [
        {">id": 99, "<=id": 599},
        {">=id": "100", "<id": "600"},
    ],
)
def test_a_narrow_range_of_ids_is_one_request(wire, clock, webhook, bounds):
    """Its pages need not know of each other."""
    wire.answer = Table(range(1, 1000))
    assert read(clock, Portal(webhook), filter=bounds) == list(range(100, 600))
    assert [len(body["cmd"]) for _, body in wire.requests] == [10]


@pytest.mark.parametrize("bounds", [{">id": 99}, {">id": 9, ">=id": 100}, {">id": 99, "<id": 9999}])
def test_a_wide_or_open_range_is_chained(wire, clock, webhook, bounds):
    """It begins where the filter says."""
    wire.answer = Table(range(1, 161))
    assert read(clock, Portal(webhook), filter=bounds) == list(range(100, 161))
    assert len(wire.requests) == 2


def test_lists_that_are_read_together_share_requests(wire, clock, webhook):
    """Their first pages are one request, their chains another, the room shared between them."""
    wire.answer = Table(range(1, 251))
    portal = Portal(webhook)

    async def five():
        async def one():
            return [item async for item in portal.list("crm.item.list")]

        return await asyncio.gather(*(one() for _ in range(5)), portal.call("crm.item.list"))

    results = clock.run(five())
    assert [len(result) for result in results[:5]] == [250] * 5
    assert [len(body["cmd"]) for _, body in wire.requests] == [6, 50]


def test_a_page_that_fails_within_a_chain_is_asked_for_again(wire, clock, webhook):
    """What came before it is kept; nothing is given twice."""
    table = Table(range(1, 1001))
    failing = iter([False] * 3 + [True] + [False] * 1000)

    def answer(method, params):
        if next(failing):
            raise TransientError(method, "QUERY_LIMIT_EXCEEDED")
        return table(method, params)

    wire.answer = answer
    assert read(clock, Portal(webhook)) == list(range(1, 1001))


def test_a_list_that_can_no_longer_be_read_raises(wire, clock, webhook):
    """The error of the page that is next."""
    table = Table(range(1, 1001))

    def answer(method, params):
        if wire.requests[-1][0] == "batch":
            raise PermanentError(method, "ACCESS_DENIED")
        return table(method, params)

    wire.answer = answer
    with pytest.raises(PermanentError, match="ACCESS_DENIED"):
        read(clock, Portal(webhook))


def test_a_portal_that_ignores_the_filter_is_noticed(wire, clock, webhook):
    """Not an endless list, and none with items twice."""
    wire.answer = lambda _, __: [{"ID": str(number)} for number in range(1, 51)]
    with pytest.raises(PermanentError, match="NOT_PAGED_BY_ID"):
        read(clock, Portal(webhook), "crm.deal.list")


def test_a_portal_that_does_not_resolve_references_is_read_page_by_page(wire, clock, webhook):
    """An unresolved reference that counts as nothing gives the first page once more."""
    table = Table(range(1, 181))

    def answer(method, params):
        where = params.get("filter", {})
        if "$" in str(where.get(">id")):
            where[">id"] = "0"
        return table(method, params)

    wire.answer = answer
    wire.batch = lambda body, batch=wire.batch: batch(
        body | {"cmd": {k: c.replace("%24result", "%24%20result") for k, c in body["cmd"].items()}}
    )
    assert read(clock, Portal(webhook)) == list(range(1, 181))


def test_a_method_without_pages_is_read_once(wire, clock, webhook):
    """A directory gives more than a page holds, all at once."""
    wire.answer = lambda _, __: [{"ID": str(number)} for number in range(1, 81)]
    assert len(read(clock, Portal(webhook), "crm.status.list")) == 80
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("result", "items"),
    [
        ([1, 2], [1, 2]),
        ({"items": [1]}, [1]),
        ({"total": 5, "tasks": [1]}, [1]),
        ({"3": {"id": 3}, "7": {"id": 7}}, [{"id": 3}, {"id": 7}]),
        ({"items": {"3": {"id": 3}}}, [{"id": 3}]),
        ({}, []),
        ([], []),
    ],
)
def test_items_are_found_in_every_wrapping(result, items):
    """A list where an object is usual, and the reverse."""
    assert items_of(result) == items


@pytest.mark.parametrize("result", [None, True, "x", {"a": 1}, {"a": 1, "b": 2}])
def test_what_is_no_list_is_an_error(result):
    """A method that lists nothing was asked for a list."""
    with pytest.raises(TypeError, match="not the result of a list"):
        items_of(result)


def test_a_batch_runs_in_order_and_refers_to_earlier_results(wire, clock, webhook):
    """Its results come back by their names, in the same order."""
    wire.answer = lambda method, params: {"id": 17, "got": params.get("id"), "from": method}
    commands = {"b": ("crm.deal.add", {}), "a": ("crm.deal.get", {"id": "$result[b][id]"})}
    results = clock.run(Portal(webhook).batch(commands))
    assert list(results) == ["b", "a"]
    assert results["a"] == {"id": 17, "got": 17, "from": "crm.deal.get"}
    assert wire.requests[0][1]["halt"] == 0


def failing(wire):
    """Let the method `bad` fail."""

    def answer(method, _):
        if method == "bad":
            raise PermanentError(method, "NO")
        return method

    wire.answer = answer
    return {"a": ("good", {}), "b": ("bad", {}), "c": ("good", {})}


def test_a_halting_batch_stops_at_the_first_error(wire, clock, webhook):
    """It says of the rest that it was not run."""
    results = clock.run(Portal(webhook).batch(failing(wire), halt=True, return_errors=True))
    assert [results["a"], results["b"].code, results["c"].code] == ["good", "NO", "NOT_RUN"]
    assert wire.requests[0][1]["halt"] == 1


def test_a_batch_raises_its_first_error(wire, clock, webhook):
    """Unless the errors are wanted as results."""
    with pytest.raises(PermanentError, match="bad: NO"):
        clock.run(Portal(webhook).batch(failing(wire)))


def test_a_batch_is_repeated_only_if_nothing_of_it_ran(wire, clock, webhook):
    """Refused by the rate: again. An answer lost: not if it creates."""
    commands = {"a": ("crm.deal.add", {}), "b": ("crm.deal.get", {"id": "$result[a]"})}
    wire.script = [reply(503, error="QUERY_LIMIT_EXCEEDED"), None, reply(500, error="")]
    portal = Portal(webhook)
    clock.run(portal.batch(commands))
    assert len(wire.requests) == 2
    results = clock.run(portal.batch(commands, return_errors=True))
    assert [(type(e).__name__, e.method) for e in results.values()] == [
        ("MayHaveRunError", "crm.deal.add"),
        ("MayHaveRunError", "crm.deal.get"),
    ]
    assert len(wire.requests) == 3


@pytest.mark.parametrize("count", [0, 51])
def test_a_batch_has_1_to_50_commands(clock, webhook, count):
    """What is too much is said before anything is sent."""
    commands = {f"c{number}": ("profile", {}) for number in range(count)}
    with pytest.raises(ValueError, match=f"1 to 50 commands, not {count}"):
        clock.run(Portal(webhook).batch(commands))


def test_a_reader_that_stops_asks_for_no_more(wire, clock, webhook):
    """Pages after the chain that is being read are never requested."""
    wire.answer = Table(range(1, 20_001))
    portal = Portal(webhook)

    async def first_of(count):
        items = portal.list("crm.item.list")
        found = []
        async for item in items:
            found.append(item)
            if len(found) == count:
                break
        await items.aclose()
        await portal.settled()
        return len(found)

    assert clock.run(first_of(50)) == 50
    assert len(wire.requests) == 1
    assert clock.run(first_of(5000)) == 5000
    assert len(wire.requests) == 1 + 3


def test_a_list_that_no_batch_can_hold_is_read_page_by_page(wire, clock, webhook):
    """Parameters that PHP would change go as JSON, one page a request."""
    wire.answer = Table(range(1, 121))
    assert read(clock, Portal(webhook), **{"x.y": 1}) == list(range(1, 121))
    assert {method for method, _ in wire.requests} == {"crm.item.list"}
