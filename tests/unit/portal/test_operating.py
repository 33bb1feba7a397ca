"""relay.portal.operating: a method that has used its execution time waits, other methods go on."""

import asyncio

import pytest

from relay.errors import TransientError
from relay.portal import Portal
from relay.portal.operating import Operating
from relay.portal.webhook_state import state_of
from tests.portal_wire import SlowSlots, reply


def spent(clock, seconds, resets_in=100, **more):
    """Return the `time` of an answer whose clock is an hour behind."""
    portals_now = clock.now - 3600
    return {
        "operating": seconds,
        "operating_reset_at": portals_now + resets_in,
        "finish": portals_now,
        **more,
    }


def test_a_method_near_its_limit_waits_and_others_go_on(wire, clock, webhook):
    """A method that used 400 s waits until the portal's reset; other methods go on."""
    portal = Portal(webhook)
    wire.time = spent(clock, 400)
    clock.run(portal.call("crm.item.list"))
    wire.time = {}
    began = clock.now

    async def both():
        slow = asyncio.create_task(portal.call("crm.item.list"))
        await portal.call("profile")
        assert clock.now - began < 1
        await slow

    clock.run(both())
    assert wire.asked_at[-1] - began == pytest.approx(100, abs=1)
    assert [method for method, _ in wire.requests] == ["crm.item.list", "profile", "crm.item.list"]


def test_a_wait_beyond_the_functions_time_raises(wire, clock, webhook):
    """A blocked call raises TransientError with the seconds until the reset, and sends nothing."""
    portal = Portal(webhook, remaining_seconds=lambda: 30)
    wire.time = spent(clock, 400)
    clock.run(portal.call("crm.item.list"))
    with pytest.raises(TransientError, match="OPERATION_TIME_LIMIT") as caught:
        clock.run(portal.call("crm.item.list"))
    assert caught.value.retry_after == pytest.approx(100, abs=1)
    assert len(wire.requests) == 1


USED = reply(429, error="OPERATION_TIME_LIMIT")


@pytest.mark.parametrize(("recorded", "waits"), [(True, 100), (False, 60)])
def test_a_429_blocks_the_method_until_the_reset(wire, clock, webhook, recorded, waits):
    """A 429 blocks the method until the recorded reset, or a minute if none is recorded."""
    portal = Portal(webhook)
    wire.time = spent(clock, 5) if recorded else {}
    clock.run(portal.call("crm.item.add", fields={"title": "a"}))
    wire.script = [USED]
    began = clock.now
    clock.run(portal.call("crm.item.add", fields={"title": "a"}))
    assert clock.now - began == pytest.approx(waits, abs=1)
    assert len(wire.commands) == 2


def test_a_429_inside_a_batch_blocks_its_method_only(wire, clock, webhook):
    """The other methods of the batch have their results at once."""
    portal = Portal(webhook)

    def answer(method, _):
        if method == "a" and clock.now < 1_000_030:
            raise TransientError(method, "OPERATION_TIME_LIMIT")
        return clock.now

    wire.answer = answer

    async def both():
        return await asyncio.gather(portal.call("a"), portal.call("b"))

    a, b = clock.run(both())
    assert (a - b) == pytest.approx(60, abs=1)
    assert [method for method, _ in wire.requests] == ["batch", "a"]


def test_a_429_of_a_batch_lets_its_calls_go_plainly(wire, clock, webhook):
    """While `batch` is blocked, calls are sent one by one, and an explicit batch waits."""
    portal = Portal(webhook)
    wire.script = [USED]

    async def both():
        await asyncio.gather(portal.call("a"), portal.call("b"))
        await portal.batch({"x": ("c", {})})

    began = clock.now
    clock.run(both())
    assert [method for method, _ in wire.requests] == ["batch", "a", "b", "batch"]
    assert wire.asked_at[2] - began < 1
    assert wire.asked_at[3] - began == pytest.approx(60, abs=1)


@pytest.mark.parametrize(
    ("outer", "inner", "blocked"),
    [
        (500, 500, ["batch"]),  # as measured: the commands repeat the batch's own figure
        (0, 500, ["crm.item.list"]),  # as documented: the commands are charged
        (500, 2, ["batch"]),
        (1, 2, []),
    ],
)
def test_both_ways_to_count_a_batch_are_understood(clock, outer, inner, blocked):
    """The batch is blocked if its commands repeat its figure, a command if its own is high."""
    operating = Operating()
    operating.record_batch(
        spent(clock, outer), {"c0": spent(clock, inner), "x": {}}, {"c0": "crm.item.list"}
    )
    names = [name for name in ("batch", "crm.item.list") if operating.seconds_blocked(name)]
    assert names == blocked


@pytest.mark.parametrize("times", [None, [], {}, {"operating": 500}, {"operating": "x"}])
def test_a_portal_without_the_limit_blocks_nothing(clock, times):
    """Answers without figures, or with figures of another shape, block no method."""
    operating = Operating()
    operating.record_batch(times, {"c0": times}, {"c0": "a"})
    assert clock.now
    assert not operating.seconds_blocked("a")
    assert not operating.seconds_blocked("batch")


def test_a_portal_without_a_clock_is_assumed_to_share_ours(clock):
    """Without `finish` the reset is at the time that the portal names."""
    operating = Operating()
    operating.record("A", {"operating": 500, "operating_reset_at": clock.now + 5})
    assert operating.seconds_blocked("a") == 5


def test_a_method_blocked_while_its_call_waits_is_not_sent(wire, clock, webhook):
    """Of a request's calls, those with a blocked method are sent a minute later."""
    portal = Portal(webhook, slots=SlowSlots(clock))

    async def both():
        calls = asyncio.gather(portal.call("a"), portal.call("b"))
        await asyncio.sleep(1)
        state_of(webhook).operating.block("a")
        await calls

    clock.run(both())
    assert [method for method, _ in wire.requests] == ["b", "a"]
    assert wire.asked_at[1] - wire.asked_at[0] > 55


def test_a_request_of_blocked_calls_only_is_not_sent(wire, clock, webhook):
    """A slot whose only call is blocked sends nothing, and the call takes a slot later."""
    portal = Portal(webhook, slots=SlowSlots(clock))

    async def one():
        call = asyncio.create_task(portal.call("a"))
        await asyncio.sleep(1)
        state_of(webhook).operating.block("a")
        await call

    began = clock.now
    clock.run(one())
    assert len(wire.requests) == 1
    assert clock.now - began > 60
