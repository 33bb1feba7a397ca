"""What a process has learnt of one webhook is nobody else's."""

import asyncio
import threading

import pytest

from relay.portal import Portal, Webhook
from relay.portal.batch import MAX_COMMANDS
from relay.portal.webhook_state import SLOW_SECONDS, WebhookState, forget, set_state

from .conftest import SECRET, reply


@pytest.mark.parametrize(
    "say", [lambda it: it.shrink_batches(1), lambda it: it.record_duration(SLOW_SECONDS + 1, 1)]
)
def test_a_lone_slow_call_leaves_batches_as_they_are(webhook, say):
    """One call that takes long says nothing of fifty."""
    known = WebhookState(webhook)
    say(known)
    assert known.batch_size == MAX_COMMANDS


def test_what_was_too_much_is_halved_and_never_more_than_before(webhook):
    """Two together become one; fifty that were under way say nothing new to four."""
    known = WebhookState(webhook)
    known.shrink_batches(8)
    assert known.batch_size == 4
    known.shrink_batches(50)
    assert known.batch_size == 4
    known.shrink_batches(2)
    assert known.batch_size == 1


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


def test_portals_that_hang_hold_up_no_other():
    """Two portals with all their requests under way, and a third one is answered."""
    hosts = ["a.bitrix24.com", "b.bitrix24.com", "c.bitrix24.com"]
    wire = Hanging(hosts[:2], 16)
    webhooks = [Webhook(host, 7, SECRET) for host in hosts]
    for webhook in webhooks:
        set_state(WebhookState(webhook, wire))
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
