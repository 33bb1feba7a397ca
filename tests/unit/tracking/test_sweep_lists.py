"""Kinds that a portal offers, and lists of ids and times."""

import asyncio
import contextlib
import json

import pytest

from relay.errors import (
    CallError,
    OperatorError,
    PermanentError,
)
from relay.tracking import wiring
from relay.tracking.sweep_lists import available_kinds, epoch, is_refusal, list_segments
from relay.tracking.sweep_state import REFUSED
from tests.tracking_aws import LATER, OLD
from tests.tracking_portal import ItemsPortal


def test_kinds_that_are_refused_are_left_out(relay):
    """Kinds that the portal refuses are not swept until it offers them again."""
    relay.portal.trouble["crm.item.list", 1] = PermanentError("crm.item.list", "ACCESS_DENIED")
    relay.portal.trouble["tasks.task.list", 0] = OperatorError("tasks", "insufficient_scope")
    relay.portal.trouble["crm.type.list", 0] = PermanentError("crm.type.list", "ACCESS_DENIED")
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    document = wiring.sweep_state().read("main")
    assert set(document.kinds) == {"deal", "contact", "company", "quote", "invoice"}
    relay.portal.trouble["crm.item.list", 3] = PermanentError("crm.item.list", "ACCESS_DENIED")
    assert relay.sweep() == {"main": "done"}
    with relay.document() as document:
        assert document.progress()["contact"] == REFUSED
        document.types_asked_at = 0
    relay.portal.trouble.clear()
    assert relay.sweep() == {"main": "done"}
    assert wiring.sweep_state().read("main").progress()["contact"] == "done"


@pytest.mark.parametrize(
    "refusal",
    [
        OperatorError("crm.item.list", "insufficient_scope"),
        PermanentError("crm.item.list", "ACCESS_DENIED", "Тариф не позволяет"),
    ],
)
def test_a_webhook_that_may_list_nothing_is_no_healthy_sweep(relay, refusal):
    """Where every kind is refused no sweep ends, so that alarms are raised, until one is not."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    for number in relay.portal.items:
        name = "crm.item.list" if number else "tasks.task.list"
        relay.portal.trouble[name, number] = refusal
    relay.portal.trouble["crm.type.list", 0] = refusal
    relay.sweep()
    with relay.document() as document:
        document.types_asked_at = 0
    for _ in range(2):
        assert "may list no kind of items" in relay.sweep()["main"]
    relay.portal.trouble.clear()
    relay.portal.put(2, 1, title="b", updatedTime=LATER)
    assert relay.sweep() == {"main": "done"}
    assert [one["data"]["changed"] for one in relay.settle()] == [["title"]]


def test_many_smart_processes_are_listed(relay):
    """The 51st smart process, on the second page of types, is found."""
    pages = [[{"entityTypeId": 128 + 2 * n} for n in range(50)], [{"entityTypeId": 1030}]]
    answer = relay.portal.answer

    def paged(method, params):
        if method == "crm.type.list":
            return {"types": pages[params["start"] // 50]}
        return answer(method, params)

    relay.portal.answer = paged
    for number in (*range(128, 228, 2), 1030):
        relay.portal.items[number] = {}
    relay.sweep()
    assert "dynamic_1030" in wiring.sweep_state().read("main").kinds


def test_smart_processes_are_found_without_an_administrators_right(relay):
    """Who may not list the types finds their numbers elsewhere; where nobody says, they stay."""
    refusal = PermanentError("crm.type.list", "ACCESS_DENIED")
    relay.portal.trouble["crm.type.list", 0] = refusal
    relay.portal.items[1030] = {}
    relay.sweep()
    assert "dynamic_1030" in wiring.sweep_state().read("main").kinds
    assert asyncio.run(available_kinds(relay.portal)) >= {"deal", "dynamic_1030"}
    relay.portal.trouble["crm.enum.ownertype", 0] = refusal
    known = {"deal", "dynamic_1030"}
    assert asyncio.run(available_kinds(relay.portal, known)) >= known
    assert "dynamic_1030" not in asyncio.run(available_kinds(relay.portal))


def test_a_portal_that_repeats_its_page_of_types_ends_their_list():
    """Types that come again whatever place is asked for are listed once; a short page is the last.

    A number that belongs to no smart process is left out.
    """
    for numbers, requests in (([*range(130, 230, 2)], 2), ([36, 130], 1)):
        portal = ItemsPortal((*numbers, 2))
        answer, asked = portal.answer, []

        def repeated(method, params, numbers=numbers, answer=answer, asked=asked):
            if method != "crm.type.list":
                return answer(method, params)
            asked.append(params)
            assert len(asked) < 9
            return {"types": [{"entityTypeId": number} for number in numbers]}

        portal.answer = repeated
        kinds = asyncio.run(available_kinds(portal))
        assert kinds == {"deal", *(f"dynamic_{number}" for number in numbers if number >= 128)}
        assert len(asked) == requests


@pytest.mark.parametrize("code", ["", "0", "ERROR_CORE"])
def test_a_refusal_without_a_code_of_its_own_is_one(code):
    """Methods that refuse a kind by their words, under a general code or none, refuse it."""
    for words in ("Access denied.", "SMART_INVOICE entity is not supported"):
        assert is_refusal(PermanentError("tasks.task.list", code, words))
    assert not is_refusal(PermanentError("tasks.task.list", code, "Task not found"))


def parts(portal, after=0):
    """Return the parts of a list of deals, and the error that ended it."""

    async def read():
        found = []
        with contextlib.suppress(StopAsyncIteration):
            reading = list_segments(portal, "deal", after, "")
            while True:
                try:
                    found.append(await anext(reading))
                except CallError as error:
                    return found, error
        return found, None

    return asyncio.run(read())


def test_a_list_that_breaks_yields_its_items_first():
    """The items before a failed command are a part with a place to go on; then it is raised."""
    portal = ItemsPortal((2,))
    for number in range(1, 201):
        portal.put(2, number, updatedTime=OLD)
    answer = portal.answer

    def failing(method, params):
        if params["filter"].get(">id") == 100:
            raise PermanentError(method, "ODD")
        return answer(method, params)

    portal.answer = failing
    (part,), error = parts(portal)
    assert (len(part.items), part.last, error.code) == (100, 100, "ODD")
    found, error = parts(portal, after=100)
    assert (found, error.code) == ([], "ODD")


def test_a_long_list_comes_in_parts_of_2500():
    """A full part has the id to go on after, the last part has None."""
    portal = ItemsPortal((2,))
    for number in range(1, 2601):
        portal.put(2, number, updatedTime=OLD)
    found, error = parts(portal)
    assert [(len(part.items), part.last) for part in found] == [(2500, 2500), (100, None)]
    assert error is None
    assert portal.requests <= 5


def test_an_empty_time_is_the_year_1970():
    """An empty time of change is 0 seconds since 1970."""
    assert epoch("") == 0


def test_types_that_can_not_be_listed_stay(relay):
    """Kinds stay available while the portal answers neither yes nor no."""
    relay.portal.items[128] = {}
    relay.baseline()
    for method, number in (("crm.type.list", 0), ("crm.item.list", 3)):
        relay.portal.trouble[method, number] = PermanentError(method, "ODD")
    with relay.document() as document:
        document.types_asked_at = 0
    relay.portal.put(2, 1, title="new")  # the lists of other kinds are read all the same
    assert "ODD" in relay.sweep()["main"]
    assert [json.loads(body)["ids"] for body in relay.queues.bodies("track")] == [[1]]
    progress = wiring.sweep_state().read("main").progress()
    assert (progress["dynamic_128"], progress["contact"]) == ("done", "done")
