"""relay.portal.batching: the turn of the event loop in which a request leaves."""

import asyncio

import pytest

from relay.portal import Portal
from relay.portal.webhook_state import state_of
from tests.portal_wire import SlowSlots


async def many(portal, count, method="crm.item.get"):
    """Call a method for the ids 0, 1, … at the same time."""
    return await asyncio.gather(*(portal.call(method, id=n) for n in range(count)))


def test_calls_that_come_some_turns_later_share_the_request(wire, clock, webhook):
    """Coroutines that await other things for up to nine turns of the loop share one request."""
    portal = Portal(webhook)

    async def late(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        return await portal.call("crm.item.get", id=turns)

    async def all_of_them():
        await asyncio.gather(*(late(turns) for turns in range(10)))

    clock.run(all_of_them())
    assert len(wire.requests) == 1


def test_requests_are_held_while_own_io_is_under_way(wire, clock, webhook):
    """Calls that follow I/O inside `busy` leave together when the last I/O has ended."""
    portal = Portal(webhook)

    async def with_checkpoint(number):
        with portal.busy():
            await asyncio.sleep(0.01 * number)
        await portal.call("crm.item.get", id=number)

    async def all_of_them():
        await asyncio.gather(*(with_checkpoint(number) for number in range(20)))

    clock.run(all_of_them())
    assert len(wire.requests) == 1


def test_a_hold_that_never_ends_delays_a_call_by_a_second(wire, clock, webhook):
    """A call made inside `busy`, which ends only after the call, is sent after one second."""
    portal = Portal(webhook)

    async def call_while_busy():
        with portal.busy():
            await portal.call("profile")

    began = clock.now
    clock.run(call_while_busy())
    assert clock.now - began == pytest.approx(1.0, abs=0.1)
    assert len(wire.requests) == 1


def test_a_loop_that_is_never_idle_delays_a_call_by_a_second(wire, clock, webhook):
    """New calls in every turn of the loop delay the first call by no more than one second."""
    portal = Portal(webhook)

    async def without_rest():
        first = asyncio.create_task(portal.call("profile"))
        while not first.done():
            other = asyncio.create_task(portal.call("profile"))
            clock.now += 0.01
            await asyncio.sleep(0)
            del other
        await portal.settled()

    clock.run(without_rest())
    assert wire.asked_at[0] - 1_000_000 == pytest.approx(1.0, abs=0.1)


def test_a_call_joins_a_request_that_waits_for_its_slot(wire, clock, webhook):
    """A request is filled when its slot arrives, with calls made after it was scheduled too."""
    portal = Portal(webhook, slots=SlowSlots(clock))

    async def one_after_the_other():
        first = asyncio.create_task(portal.call("profile"))
        await asyncio.sleep(1)
        await asyncio.gather(first, portal.call("scope"))

    clock.run(one_after_the_other())
    assert [len(body["cmd"]) for _, body in wire.requests] == [2]


def test_a_hold_that_begins_after_a_call_delays_it(wire, clock, webhook):
    """A call waits for a `busy` block that begins a turn later, and shares the request after it."""
    portal = Portal(webhook)

    async def checkpoint_first():
        await asyncio.sleep(0)
        with portal.busy():
            await asyncio.sleep(0.1)
        await portal.call("b")

    async def both():
        await asyncio.gather(portal.call("a"), checkpoint_first())

    clock.run(both())
    assert [len(body["cmd"]) for _, body in wire.requests] == [2]


def test_a_slot_that_is_no_longer_needed_sends_nothing(wire, clock, webhook):
    """The second of two scheduled requests sends nothing if the first could carry all calls."""
    portal = Portal(webhook, slots=SlowSlots(clock))
    state_of(webhook).batch_size = 25

    async def fifty():
        calls = asyncio.create_task(many(portal, 50))
        await asyncio.sleep(1)
        state_of(webhook).batch_size = 50
        await calls
        await asyncio.sleep(10)

    clock.run(fifty())
    assert [len(body["cmd"]) for _, body in wire.requests] == [50]


def test_a_function_frozen_before_it_sends_makes_one_request(wire, clock, webhook):
    """A thaw after the one-second limit, with idle turns still to count, makes one request."""
    portal = Portal(webhook)

    async def freeze():
        call = asyncio.create_task(portal.call("profile"))
        await asyncio.sleep(0)
        clock.now += 600
        await call
        await asyncio.sleep(1)

    clock.run(freeze())
    assert len(wire.requests) == 1
