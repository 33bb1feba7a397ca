"""relay.portal.webhook_state: the batch size, and threads that one portal can't use up."""

import asyncio
import threading

import pytest

from relay.errors import MayHaveRunError
from relay.portal import Portal, Webhook
from relay.portal.batch import MAX_COMMANDS
from relay.portal.http import TIMEOUT, Reply
from relay.portal.webhook_state import SLOW_SECONDS, WebhookState, forget, states
from tests.portal_wire import LOST, RATE, READ, SECRET, reply


def test_batches_shrink_after_slow_answers_and_grow_after_quick_ones(wire, clock, webhook):
    """Fifty commands that took 30 s leave as two of 25, and together after two quick answers."""
    portal = Portal(webhook)

    async def sizes():
        before = len(wire.requests)
        await asyncio.gather(*(portal.call(READ, id=n) for n in range(50)))
        return [len(body["cmd"]) for _, body in wire.requests[before:]]

    wire.seconds = 30
    assert clock.run(sizes()) == [50]
    wire.seconds = 6
    assert clock.run(sizes()) == [25, 25]
    wire.seconds = 1
    assert clock.run(sizes()) == [25, 25]
    assert clock.run(sizes()) == [50]


def sizes_of_fifty(wire, clock, webhook):
    """Return how many reads each request has that fifty calls at once need."""
    portal = Portal(webhook)

    async def fifty():
        await asyncio.gather(*(portal.call(READ, id=n) for n in range(50)))

    clock.run(fifty())
    return [len(body["cmd"]) for _, body in wire.requests]


@pytest.mark.parametrize(
    ("answer", "sizes"),
    [
        (MayHaveRunError("batch", TIMEOUT), [50, 25, 25]),
        (Reply(504, b"<html>"), [50, 25, 25]),
        (Reply(500, b""), [50, 25, 25]),
        (reply(500, error="INTERNAL_SERVER_ERROR"), [50, 25, 25]),
        (reply(200, error="WRONG_ENCODING"), [50, 25, 25]),
        (LOST, [50, 50]),
        (RATE, [50, 50]),
    ],
)
def test_a_batch_of_which_nothing_came_back_is_halved(wire, clock, webhook, answer, sizes):
    """Fifty reads that the portal cut off are retried in two requests, refused ones in one."""
    wire.script = [answer]
    assert sizes_of_fifty(wire, clock, webhook) == sizes


def test_a_batch_whose_connection_broke_late_is_halved(wire, clock, webhook):
    """Fifty reads whose connection broke after half a minute are retried in two requests."""
    wire.script, wire.seconds = [LOST], 30
    assert sizes_of_fifty(wire, clock, webhook) == [50, 25, 25]


@pytest.mark.parametrize(
    "say", [lambda it: it.shrink_batches(1), lambda it: it.record_duration(SLOW_SECONDS + 1, 1)]
)
def test_a_slow_single_call_does_not_shrink_batches(webhook, say):
    """A request of one command that was slow or too large leaves the batch size at 50."""
    remembered = WebhookState(webhook)
    say(remembered)
    assert remembered.batch_size == MAX_COMMANDS


def test_only_a_full_batch_shows_that_larger_ones_are_quick(webhook):
    """A quick request grows the batch size if it had as many commands as a batch may have."""
    state = WebhookState(webhook)
    state.shrink_batches(MAX_COMMANDS)
    state.record_duration(0.1, 24)
    assert state.batch_size == 25
    state.record_duration(0.1, 25)
    assert state.batch_size == MAX_COMMANDS


def test_a_batch_that_was_too_much_halves_the_size(webhook):
    """The size becomes half of the commands that were too much, and never grows by it."""
    remembered = WebhookState(webhook)
    remembered.shrink_batches(8)
    assert remembered.batch_size == 4
    remembered.shrink_batches(50)
    assert remembered.batch_size == 4
    remembered.shrink_batches(2)
    assert remembered.batch_size == 1


class Hanging:
    """Portals of which some take a request and do not answer before they are let go."""

    def __init__(self, hosts, count):
        """Take the hosts that hang, and how many requests the test waits for."""
        self.hosts, self.free = hosts, threading.Event()
        self.all_hang = threading.Barrier(count + 1)

    def post(self, _method, url, _body, _seconds):
        """Answer, or hang."""
        if url.split("/")[2] in self.hosts:
            self.all_hang.wait(10)
            self.free.wait(20)
        return reply(result=True)


def test_portals_that_hang_do_not_block_others():
    """With eight requests of two portals hanging, a third portal answers."""
    hosts = ["a.bitrix24.com", "b.bitrix24.com", "c.bitrix24.com"]
    wire = Hanging(hosts[:2], 16)
    webhooks = [Webhook(host, 7, SECRET) for host in hosts]
    for webhook in webhooks:
        states[webhook] = WebhookState(webhook, wire)
    portals = [Portal(webhook) for webhook in webhooks]

    async def use():
        stuck = [
            asyncio.create_task(portal.call("crm.item.get", title=f"$[{number}]"))
            for portal in portals[:2]
            for number in range(8)
        ]
        await asyncio.to_thread(wire.all_hang.wait, 10)
        try:
            async with asyncio.timeout(10):
                assert await portals[2].call("crm.item.get", id=1) is True
            assert not any(task.done() for task in stuck)
        finally:
            wire.free.set()
        assert await asyncio.gather(*stuck) == [True] * 16

    asyncio.run(use())
    forget()
