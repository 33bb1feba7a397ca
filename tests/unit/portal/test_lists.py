"""relay.portal.lists: a list is read whole, in few requests, whatever its method's conventions."""

import asyncio

import pytest

from relay.errors import PermanentError, TransientError
from relay.portal import Portal
from tests.portal_table import Table, read_list


@pytest.mark.parametrize(
    "sizes",
    [(0, 1), (39, 1), (49, 2), (50, 2), (51, 2), (2539, 2), (2549, 3), (2550, 3), (10_000, 5)],
)
@pytest.mark.parametrize("gap", [1, 7])
def test_fifty_pages_share_a_request(wire, clock, webhook, sizes, gap):
    """After the first page, 2,500 items are one request: the pages refer to each other."""
    count, requests = sizes
    ids = list(range(5, 5 + count * gap, gap))
    wire.answer = Table(ids)
    assert read_list(clock, Portal(webhook), entityTypeId=2) == ids
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
def test_each_family_of_methods_gets_its_own_parameters(wire, clock, webhook, family):
    """Fields are in capitals or camelCase, `order` is a map or two texts, as the method wants."""
    method, table, order = family
    wire.answer = Table(range(1, 121), *table)
    assert read_list(clock, Portal(webhook), method, filter={"!STAGE": "X"}) == list(range(1, 121))
    assert order.items() <= wire.requests[0][1].items()
    assert len(wire.requests) == 2


def test_an_order_by_id_changes_nothing(wire, clock, webhook):
    """A list with `order` by id is read by id, like a list without `order`."""
    wire.answer = Table(range(1, 61))
    assert len(read_list(clock, Portal(webhook), order={"ID": "asc"})) == 60
    assert wire.requests[0][1]["start"] == -1


@pytest.mark.parametrize("order", [{"title": "ASC"}, {"id": "DESC"}, "ASC"])
def test_another_order_is_read_by_offset(wire, clock, webhook, order):
    """A list in another order is read in requests of 1, 4 and 16 pages until one is short."""
    wire.answer = Table(range(1, 421))
    assert len(read_list(clock, Portal(webhook), order=order)) == 420
    assert [len(body.get("cmd", [1])) for _, body in wire.requests] == [1, 4, 16]


@pytest.mark.parametrize(
    "field", [("crm.item.list", "@id"), ("tasks.task.list", "ID"), ("user.get", "@ID")]
)
@pytest.mark.parametrize("sizes", [(0, 0), (10, 1), (1000, 1), (2500, 1), (2600, 2)])
def test_an_id_set_is_cut_into_independent_pages(wire, clock, webhook, field, sizes):
    """A set of ids is read in its order, each id once, 2,500 to a request."""
    (method, name), (count, requests) = field, sizes
    wire.answer = lambda _, params: [{"id": number} for number in params["filter"][name]]
    ids = list(range(2, count + 2))
    assert read_list(clock, Portal(webhook), method, filter={name: ids + ids[:1]}) == ids
    assert len(wire.requests) == requests


@pytest.mark.parametrize(
    ("bounds", "last"),
    [
        ({">id": 99}, 160),
        ({">id": 9, ">=id": 100}, 160),
        ({">=id": "100", "<id": "156"}, 155),
        ({">id": 99, "<=id": 155}, 155),
    ],
)
def test_a_range_of_ids_is_read_from_its_first_id_to_its_last(wire, clock, webhook, bounds, last):
    """Conditions on the id hold for every page, those of the first page included."""
    wire.answer = Table(range(1, 161))
    assert read_list(clock, Portal(webhook), filter=bounds) == list(range(100, last + 1))
    assert len(wire.requests) == 2


def test_lists_that_are_read_together_share_requests(wire, clock, webhook):
    """The first pages of five lists are one request, their chains another that they share."""
    wire.answer = Table(range(1, 251))
    portal = Portal(webhook)

    async def five():
        async def one():
            return [item async for item in portal.list("crm.item.list")]

        return await asyncio.gather(*(one() for _ in range(5)), portal.call("crm.item.list"))

    results = clock.run(five())
    assert [len(result) for result in results[:5]] == [250] * 5
    assert [len(body["cmd"]) for _, body in wire.requests] == [6, 50]


def test_lists_that_share_a_request_leave_no_room_in_it(wire, clock, webhook):
    """Thirty lists of three pages have their other sixty pages in two requests, not in three."""
    wire.answer = Table(range(1, 131))
    portal = Portal(webhook)

    async def thirty():
        async def one():
            return [item async for item in portal.list("crm.item.list")]

        return await asyncio.gather(*(one() for _ in range(30)))

    assert [len(result) for result in clock.run(thirty())] == [130] * 30
    assert [len(body["cmd"]) for _, body in wire.requests[:2]] == [30, 50]
    assert len(wire.requests) == 3


def test_a_page_that_fails_within_a_chain_is_read_again(wire, clock, webhook):
    """Pages before a failed one are kept, and every item is returned once."""
    table = Table(range(1, 1001))
    failing = iter([False] * 3 + [True] + [False] * 1000)

    def answer(method, params):
        if next(failing):
            raise TransientError(method, "QUERY_LIMIT_EXCEEDED")
        return table(method, params)

    wire.answer = answer
    assert read_list(clock, Portal(webhook)) == list(range(1, 1001))


def test_the_first_page_of_a_chain_that_fails_raises(wire, clock, webhook):
    """A list raises the error of the page that is next."""
    table = Table(range(1, 1001))

    def answer(method, params):
        if wire.requests[-1][0] == "batch":
            raise PermanentError(method, "ACCESS_DENIED")
        return table(method, params)

    wire.answer = answer
    with pytest.raises(PermanentError, match="ACCESS_DENIED"):
        read_list(clock, Portal(webhook))


def test_a_method_that_ignores_the_filter_raises(wire, clock, webhook):
    """A list that begins anew at each page raises NOT_PAGED_BY_ID instead of going on for ever."""
    wire.answer = lambda _, __: [{"ID": str(number)} for number in range(1, 51)]
    with pytest.raises(PermanentError, match="NOT_PAGED_BY_ID"):
        read_list(clock, Portal(webhook), "crm.deal.list")


def test_a_portal_that_does_not_replace_references_is_read_page_by_page(wire, clock, webhook):
    """A page that begins the list anew, after a reference read as 0, is read again by its id."""
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
    assert read_list(clock, Portal(webhook)) == list(range(1, 181))


def test_items_without_an_id_are_read_by_offset(wire, clock, webhook):
    """A full page of items without an id can't be continued by id: the list is read by offset."""
    rows = [{"CURRENCY": f"C{number}"} for number in range(120)]
    wire.answer = lambda _, params: rows[max(int(params["start"]), 0) :][:50]

    async def read():
        return [item async for item in Portal(webhook).list("crm.currency.list")]

    assert clock.run(read()) == rows


def test_a_list_with_pages_of_ten_is_read_whole(wire, clock, webhook):
    """A page of ten log messages is a full one: the list goes on behind it."""
    rows = [{"id": number} for number in range(1, 36)]
    wire.answer = lambda _, params: {"logMessages": rows[int(params["start"]) :][:10]}
    method = "crm.timeline.logmessage.list"
    assert read_list(clock, Portal(webhook), method, entityTypeId=2, entityId=1) == [*range(1, 36)]


def test_a_method_without_pages_is_read_once(wire, clock, webhook):
    """A directory that returns 80 items at once is one request."""
    wire.answer = lambda _, __: [{"ID": str(number)} for number in range(1, 81)]
    assert len(read_list(clock, Portal(webhook), "crm.status.list")) == 80
    assert len(wire.requests) == 1


def test_a_reader_that_stops_causes_no_more_requests(wire, clock, webhook):
    """Pages after the chain that is being read are never requested."""
    wire.answer = Table(range(1, 20_001))
    portal = Portal(webhook)

    async def first_of(count):
        items = portal.list("crm.item.list")
        items_read = []
        async for item in items:
            items_read.append(item)
            if len(items_read) == count:
                break
        await items.aclose()
        await portal.settled()
        return len(items_read)

    assert clock.run(first_of(50)) == 50
    assert len(wire.requests) == 1
    assert clock.run(first_of(5000)) == 5000
    assert len(wire.requests) == 1 + 3


def test_a_list_that_no_batch_can_hold_is_read_page_by_page(wire, clock, webhook):
    """A list with a parameter that no query can hold is one plain request for each page."""
    wire.answer = Table(range(1, 121))
    assert read_list(clock, Portal(webhook), **{"x.y": 1}) == list(range(1, 121))
    assert {method for method, _ in wire.requests} == {"crm.item.list"}


def test_a_filter_that_is_no_dict_raises(wire, clock, webhook):
    """A filter of another type raises TypeError; read without it, the whole list would come."""
    with pytest.raises(TypeError, match=r"crm\.item\.list: a filter is a dict, not a str"):
        read_list(clock, Portal(webhook), filter="stageId")
    assert wire.requests == []


def test_a_list_by_offset_that_does_not_count_has_each_item_once(wire, clock, webhook):
    """`start=-1`, with which a portal does not count, is the offset 0 of the first page."""
    wire.answer = Table(range(1, 121))
    ids = read_list(clock, Portal(webhook), order={"title": "ASC"}, start=-1)
    assert ids == list(range(1, 121))
