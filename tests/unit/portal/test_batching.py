"""relay.portal.batching: calls that wait together share requests, sent when the loop is idle."""

import asyncio
import gc

import pytest

from relay.errors import TransientError
from relay.portal import Portal
from tests.portal_wire import SlowSlots, commands_of


def test_200_waiting_calls_are_4_requests(wire, clock, webhook):
    """Calls leave fifty to a request, and each caller gets its own result."""
    wire.answer = lambda _, params: {"item": {"id": params["id"]}}
    results = clock.run(many(Portal(webhook), 200))
    assert [result["item"]["id"] for result in results] == [str(n) for n in range(200)]
    assert [len(body["cmd"]) for _, body in wire.requests] == [50] * 4


def params_of(body):
    """Return the parameters of each command in a batch's body."""
    return [params for _, params in commands_of(body)]


async def many(portal, count, method="crm.item.get"):
    """Call a method for the ids 0, 1, … at the same time."""
    return await asyncio.gather(*(portal.call(method, id=n) for n in range(count)))


@pytest.mark.usefixtures("wire")
def test_only_the_calls_without_a_slot_fail(clock, webhook):
    """Two slots carry 100 of 120 calls; the newest 20 raise NO_SLOT with a time to retry after."""
    portal = Portal(webhook, slots=SlowSlots(clock, 2))

    async def call_all():
        calls = (portal.call("crm.item.get", id=n) for n in range(120))
        return await asyncio.gather(*calls, return_exceptions=True)

    results = clock.run(call_all())
    assert results[:100] == [True] * 100
    assert {(type(e), e.method, e.code, e.retry_after) for e in results[100:]} == {
        (TransientError, "crm.item.get", "NO_SLOT", 30)
    }


def test_calls_that_are_sent_alone_take_no_slot_of_the_others(wire, clock, webhook):
    """Fifty reads and a read that no batch can hold take two slots, and send two requests."""
    slots = SlowSlots(clock, 3)
    portal = Portal(webhook, slots=slots)

    async def call_all():
        await asyncio.gather(many(portal, 50), portal.call("crm.item.list", **{"x.y": 1}))
        await asyncio.sleep(20)

    clock.run(call_all())
    assert len(wire.requests) == 2
    assert slots.count == 1


def test_a_cancelled_callers_call_is_finished(wire, clock, webhook):
    """A call whose caller was cancelled is sent, and a call in the same request gets its result."""
    portal = Portal(webhook, slots=SlowSlots(clock))

    async def cancel_one():
        one = asyncio.create_task(portal.call("crm.deal.add", fields={"title": "a"}))
        other = asyncio.create_task(portal.call("crm.item.get", id=1))
        await asyncio.sleep(1)
        one.cancel()
        await portal.settled()
        assert one.cancelled()
        return await other

    assert clock.run(cancel_one()) is True
    assert [method for method, _ in wire.commands] == ["crm.deal.add", "crm.item.get"]


def test_an_error_for_a_cancelled_caller_is_not_logged(wire, clock, webhook, caplog):
    """Asyncio does not report the error of a call whose caller was cancelled as never retrieved."""

    async def cancel():
        portal = Portal(webhook, slots=SlowSlots(clock, 0))
        call = asyncio.create_task(portal.call("profile"))
        await asyncio.sleep(0)
        call.cancel()
        await portal.settled()

    clock.run(cancel())
    gc.collect()
    assert wire.requests == []
    assert caplog.text == ""


def test_calls_are_cancelled_with_their_request(wire, clock, webhook):
    """A caller is cancelled, instead of waiting for ever, if the loop cancels the request."""
    portal = Portal(webhook)
    events = []

    async def call():
        try:
            await portal.call("profile")
        except asyncio.CancelledError:
            events.append("cancelled")
            raise

    async def stop_while_sending():
        task = asyncio.create_task(call())
        while not wire.requests:  # noqa: ASYNC110  turn by turn
            await asyncio.sleep(0)
        for other in asyncio.all_tasks() - {asyncio.current_task(), task}:
            other.cancel()
        await asyncio.wait([task])

    clock.run(stop_while_sending())
    assert events == ["cancelled"]


def test_a_bug_is_raised_in_the_caller(wire, clock, webhook):
    """An unexpected exception of the client is raised in the caller, instead of being lost."""
    wire.script = [ZeroDivisionError("a bug")]
    with pytest.raises(ZeroDivisionError):
        clock.run(Portal(webhook).call("profile"))


def test_a_batch_is_no_larger_than_web_servers_accept(wire, clock, webhook):
    """Large calls are spread over requests in their order; one over a megabyte is sent alone."""
    portal = Portal(webhook)

    async def large():
        sizes = [400_000, 400_000, 400_000, 2_000_000, 5]
        await asyncio.gather(*(portal.call("x", text="a" * size) for size in sizes))

    clock.run(large())
    sent = [
        [len(params["text"]) for params in ([body] if method == "x" else params_of(body))]
        for method, body in wire.requests
    ]
    assert sent == [[400_000, 400_000, 5], [400_000], [2_000_000]]


def test_a_thousand_reactions_of_two_dependent_writes_are_40_requests(wire, clock, webhook):
    """Ten processes of a hundred reactions send 2,000 writes once each, fifty to a request."""

    async def reaction(portal, number):
        task = await portal.call("tasks.task.add", fields={"TITLE": number})
        await portal.call("crm.timeline.comment.add", fields={"COMMENT": f"{task}"})

    async def process(portal):
        await asyncio.gather(*(reaction(portal, number) for number in range(100)))

    for _ in range(10):
        clock.run(process(Portal(webhook)))
        clock.now += 60
    assert len(wire.requests) == 40
    assert len(wire.commands) == 2000


def test_reads_and_writes_share_no_request(wire, clock, webhook):
    """Reads and writes made together leave in a request each, in their order."""
    portal = Portal(webhook)

    async def mixed():
        methods = ["x.get", "x.add", "x.list", "crm.item.update", "x.get", "x.add"]
        await asyncio.gather(*(portal.call(method, id=n) for n, method in enumerate(methods)))

    clock.run(mixed())
    sent = [[params["id"] for params in params_of(body)] for _, body in wire.requests]
    assert sent == [["0", "2", "4"], ["1", "3", "5"]]
    assert portal.requests == 2
