"""Calls that wait at the same time leave together, decided by the loop going idle."""

import asyncio

import pytest

from relay.errors import MayHaveRunError, PermanentError, TransientError
from relay.portal import Portal
from relay.portal.webhook_state import state_of

from .conftest import SlowSlots


async def many(portal, count, method="crm.item.get"):
    """Call a method for the ids 0, 1, … at the same time."""
    return await asyncio.gather(*(portal.call(method, id=n) for n in range(count)))


def test_one_call_alone_leaves_plainly(wire, clock, webhook):
    """No batch is made for it; its parameters travel as JSON."""
    wire.answer = lambda method, params: [method, params]
    result = clock.run(Portal(webhook).call("crm.item.get", entityTypeId=2, flag=None))
    assert result == ["crm.item.get", {"entityTypeId": 2, "flag": None}]
    assert [method for method, _ in wire.requests] == ["crm.item.get"]


def test_200_waiting_calls_are_4_requests(wire, clock, webhook):
    """Fifty a request, and each caller gets its own result."""
    wire.answer = lambda _, params: {"item": {"id": params["id"]}}
    results = clock.run(many(Portal(webhook), 200))
    assert [result["item"]["id"] for result in results] == [str(n) for n in range(200)]
    assert [len(body["cmd"]) for _, body in wire.requests] == [50] * 4


def test_calls_that_come_some_turns_later_ride_along(wire, clock, webhook):
    """A coroutine that has other things to await first still shares the request."""
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
    """What a checkpoint's answer brings leaves together with what waited for it."""
    portal = Portal(webhook)

    async def with_checkpoint(number):
        with portal.busy():
            await asyncio.sleep(0.01 * number)
        await portal.call("crm.item.get", id=number)

    async def all_of_them():
        await asyncio.gather(*(with_checkpoint(number) for number in range(20)))

    clock.run(all_of_them())
    assert len(wire.requests) == 1


def test_a_hold_that_never_ends_keeps_a_call_for_a_second_only(wire, clock, webhook):
    """The cap in time guards against I/O that hangs."""
    portal = Portal(webhook)

    async def call_while_busy():
        with portal.busy():
            await portal.call("profile")

    began = clock.now
    clock.run(call_while_busy())
    assert clock.now - began == pytest.approx(1.0, abs=0.1)
    assert len(wire.requests) == 1


def test_a_loop_that_never_rests_keeps_a_call_for_a_second_only(wire, clock, webhook):
    """Calls that keep coming, turn after turn, do not keep the first one back."""
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


def test_what_arrives_while_a_request_waits_for_its_slot_rides_along(wire, clock, webhook):
    """A request is filled when its slot arrives, not when it is decided."""
    portal = Portal(webhook, slots=SlowSlots(clock))

    async def one_after_the_other():
        first = asyncio.create_task(portal.call("profile"))
        await asyncio.sleep(1)
        await asyncio.gather(first, portal.call("scope"))

    clock.run(one_after_the_other())
    assert [len(body["cmd"]) for _, body in wire.requests] == [2]


@pytest.mark.usefixtures("wire")
def test_only_the_calls_without_a_slot_fail(clock, webhook):
    """Two slots carry a hundred of 120 calls; the rest come back when there is one."""
    portal = Portal(webhook, slots=SlowSlots(clock, 2))

    async def call_all():
        calls = (portal.call("crm.item.get", id=n) for n in range(120))
        return await asyncio.gather(*calls, return_exceptions=True)

    results = clock.run(call_all())
    assert results[:100] == [True] * 100
    assert {(type(e), e.method, e.code, e.retry_after) for e in results[100:]} == {
        (TransientError, "crm.item.get", "NO_SLOT", 30)
    }


def test_a_cancelled_callers_call_is_finished(wire, clock, webhook):
    """Whoever shared the request is not disturbed, and the portal was asked."""
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


def test_a_cancelled_callers_error_disturbs_nobody(wire, clock, webhook):
    """An error that nobody waits for is not reported as forgotten."""

    async def cancel():
        portal = Portal(webhook, slots=SlowSlots(clock, 0))
        call = asyncio.create_task(portal.call("profile"))
        await asyncio.sleep(0)
        call.cancel()
        await portal.settled()

    clock.run(cancel())
    assert wire.requests == []


def test_a_portal_outlives_its_event_loops(wire, clock, webhook):
    """One that ended in the middle of a call leaves nothing behind for the next."""
    portal = Portal(webhook, slots=SlowSlots(clock))

    async def give_up():
        asyncio.create_task(portal.call("profile"))  # noqa: RUF006  dies with the loop
        await asyncio.sleep(0.1)

    clock.run(give_up())
    assert clock.run(portal.call("scope")) is True
    assert [method for method, _ in wire.requests] == ["scope"]


def test_a_request_that_the_end_of_the_loop_breaks_off_cancels_its_calls(wire, clock, webhook):
    """Nobody waits for ever for a request whose loop is closing."""
    portal = Portal(webhook)
    seen = []

    async def call():
        try:
            await portal.call("profile")
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def stop_while_sending():
        task = asyncio.create_task(call())
        while not wire.requests:  # noqa: ASYNC110  turn by turn
            await asyncio.sleep(0)
        for other in asyncio.all_tasks() - {asyncio.current_task(), task}:
            other.cancel()
        await asyncio.wait([task])

    clock.run(stop_while_sending())
    assert seen == ["cancelled"]


def test_a_fault_of_ours_reaches_who_asked(wire, clock, webhook):
    """An unexpected exception is no reason to wait for ever."""
    wire.script = [ZeroDivisionError("a bug")]
    with pytest.raises(ZeroDivisionError):
        clock.run(Portal(webhook).call("profile"))


def test_a_method_that_a_batch_refuses_goes_plainly(wire, clock, webhook):
    """It is remembered, so that it is refused once only."""

    def answer(method, _):
        if method == "disk.folder.uploadfile" and wire.requests[-1][0] == "batch":
            raise PermanentError(method, "ERROR_BATCH_METHOD_NOT_ALLOWED")
        return method

    wire.answer = answer
    portal = Portal(webhook)

    async def twice():
        for _ in range(2):
            assert await asyncio.gather(
                portal.call("disk.folder.uploadfile", id=1), portal.call("x.add")
            ) == ["disk.folder.uploadfile", "x.add"]

    clock.run(twice())
    assert [method for method, _ in wire.requests] == [
        *("batch", "disk.folder.uploadfile"),
        *("disk.folder.uploadfile", "x.add"),
    ]


def test_parameters_that_a_query_cannot_hold_go_plainly(wire, clock, webhook):
    """JSON takes names with dots, and more values than PHP reads from a query."""
    portal = Portal(webhook)

    async def both():
        await asyncio.gather(
            portal.call("a", **{"x.y": 1}),
            portal.call("b", ids=list(range(1001))),
            portal.call("c", x={"a]": 1}),
            portal.call("d"),
        )

    clock.run(both())
    assert [method for method, _ in wire.requests] == ["a", "b", "c", "d"]


def test_a_batch_is_no_larger_than_web_servers_accept(wire, clock, webhook):
    """Large commands are spread over requests, in their order; one that is larger goes alone."""
    portal = Portal(webhook)

    async def large():
        sizes = [400_000, 400_000, 400_000, 2_000_000, 5]
        await asyncio.gather(*(portal.call("x", text="a" * size) for size in sizes))

    clock.run(large())
    sent = [
        [len(params["text"]) for params in ([body] if method == "x" else decoded(body))]
        for method, body in wire.requests
    ]
    assert sent == [[400_000, 400_000, 5], [400_000], [2_000_000]]


def decoded(body):
    """Return the parameters of a batch's commands."""
    return [dict([part.split("=")]) for part in (c.split("?")[1] for c in body["cmd"].values())]


def test_errors_come_back_to_the_call_that_asked(wire, clock, webhook):
    """One failing command does not fail its neighbours."""

    def answer(method, params):
        if params["id"] == "1":
            raise PermanentError(method, "NOT_FOUND", "no such item")
        return params["id"]

    wire.answer = answer
    portal = Portal(webhook)

    async def three():
        return await asyncio.gather(
            *(portal.call("crm.item.get", id=n) for n in range(3)), return_exceptions=True
        )

    first, second, third = clock.run(three())
    assert (first, third) == ("0", "2")
    assert (type(second), second.code, second.method) == (
        PermanentError,
        "NOT_FOUND",
        "crm.item.get",
    )
    assert len(wire.requests) == 1


def test_a_thousand_reactions_of_two_dependent_writes_are_40_requests(wire, clock, webhook):
    """Ten processes of a hundred each: nothing is sent twice."""

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


def test_a_lost_batch_repeats_its_harmless_commands_only(wire, clock, webhook):
    """The reads are asked again; what might have been created is not."""
    wire.script = [MayHaveRunError("batch", "NO_ANSWER")]
    portal = Portal(webhook)

    async def mixed():
        return await asyncio.gather(
            portal.call("crm.deal.add", fields={"title": "a"}),
            portal.call("crm.item.get", id=1),
            portal.call("crm.item.update", id=1, fields={"title": "a"}),
            return_exceptions=True,
        )

    add, get, update = clock.run(mixed())
    assert isinstance(add, MayHaveRunError)
    assert (get, update) == (True, True)
    assert [method for method, _ in wire.commands] == ["crm.item.get", "crm.item.update"]


def test_reads_and_writes_share_no_request(wire, clock, webhook):
    """Both kinds leave at the same time, each in its order, and updates go with creates."""
    portal = Portal(webhook)

    async def mixed():
        methods = ["x.get", "x.add", "x.list", "crm.item.update", "x.get", "x.add"]
        await asyncio.gather(*(portal.call(method, id=n) for n, method in enumerate(methods)))

    clock.run(mixed())
    sent = [[params["id"] for params in decoded(body)] for _, body in wire.requests]
    assert sent == [["0", "2", "4"], ["1", "3", "5"]]
    assert portal.requests == 2


def test_a_hold_that_begins_after_a_call_keeps_it_too(wire, clock, webhook):
    """A record that reads its checkpoint may still bring a call for the same request."""
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
    """Two requests were coming, but the first could carry all."""
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


def test_a_fault_does_not_hide_what_was_already_told(wire, clock, webhook):
    """A method that must wait was turned away before its neighbour's request broke."""
    portal = Portal(webhook, slots=SlowSlots(clock), remaining_seconds=lambda: 30)
    wire.script = [ZeroDivisionError("a bug")]

    async def both():
        calls = asyncio.gather(portal.call("a"), portal.call("b"), return_exceptions=True)
        await asyncio.sleep(1)
        state_of(webhook).operating.block("a")
        return await calls

    a, b = clock.run(both())
    assert (type(a), type(b)) == (TransientError, ZeroDivisionError)


def test_a_function_that_was_frozen_before_it_sent_sends_once(wire, clock, webhook):
    """The cap in time is over at once when it goes on; the request is made once all the same."""
    portal = Portal(webhook)

    async def freeze():
        call = asyncio.create_task(portal.call("profile"))
        await asyncio.sleep(0)
        clock.now += 600
        await call
        await asyncio.sleep(1)

    clock.run(freeze())
    assert len(wire.requests) == 1
