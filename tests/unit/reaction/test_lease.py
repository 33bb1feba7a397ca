"""relay.reaction.lease: one run at a time sends and stores."""

import asyncio
import threading
import time

import pytest

from relay.errors import (
    TransientError,
)
from relay.portal.fake import FakePortal
from relay.reaction.checkpoint import CLOCK_SECONDS, Checkpoint
from relay.reaction.equal_calls import EqualCalls
from relay.reaction.lease import Lease
from tests.runs import COMMENT, KEY, calls, once


def test_of_two_deliveries_at_once_one_waits(record):
    """While one run holds the lease, another run sends nothing and its record waits 30 s."""
    waits, sent = None, []

    async def both():
        gate, begun = asyncio.Event(), asyncio.Event()

        class Slow(FakePortal):
            async def call(self, _method, /, **params):
                sent.append(params)
                begun.set()
                await gate.wait()
                return 7

        runs = [record.run_of(Checkpoint(KEY), f"t{number}") for number in range(2)]
        portals = [once(Slow(), run) for run in runs]
        first = asyncio.create_task(portals[0].call(COMMENT, fields={}))
        await begun.wait()
        with pytest.raises(TransientError) as refused:
            await portals[1].call(COMMENT, fields={})
        await runs[1].finish(failed=False)
        gate.set()
        assert await first == 7
        await runs[0].finish(failed=False)
        return refused.value

    waits = asyncio.run(both())
    assert (waits.code, waits.retry_after, len(sent)) == ("IN_PROGRESS", 30.0, 1)


@pytest.mark.parametrize(("late", "taken"), [(-1, False), (4, False), (6, True)])
def test_a_lease_lasts_as_much_longer_as_clocks_may_differ(record, late, taken):
    """A copy whose clock is ahead sends nothing while the owner of the lease still may."""
    until = time.time() + 50
    record.table.rows[KEY] = Checkpoint(KEY, "another", until).to_item(time.time())
    record.offset = 50 + late
    portal = FakePortal({COMMENT: 7})
    if taken:
        assert record.deliver(portal, calls(COMMENT, fields={})) == 7
    else:
        with pytest.raises(TransientError, match="IN_PROGRESS") as waits:
            record.deliver(portal, calls(COMMENT, fields={}))
        assert waits.value.retry_after == pytest.approx(CLOCK_SECONDS - late, abs=0.5)
        assert waits.value.method == COMMENT
        assert not portal.calls


def test_a_lease_is_checked_when_its_request_leaves():
    """A lease that another run took before the request leaves is not stored."""
    row = Checkpoint(KEY)
    made = []

    class Slow:
        async def write(self, _name, part, build):
            row.replace_with(Checkpoint(KEY, "another", time.time() + 50))
            made.append(build([part]))

    lease = Lease(row, "mine", time.time() + 120, Slow(), EqualCalls())
    lease.check()
    with pytest.raises(TransientError, match="IN_PROGRESS"):
        asyncio.run(lease.store())
    assert not made
    assert not lease.is_ours


def test_a_call_beside_one_that_is_refused_the_lease_sends_nothing(record):
    """A call that begins while another call of the run is refused the lease is refused as well."""
    begun, gate = threading.Event(), threading.Event()
    real = record.table.put_item

    def slow(**request):
        begun.set()
        gate.wait(5)
        real(**request)

    record.table.put_item = slow
    portal = FakePortal({COMMENT: 7})

    async def react(once):
        record.table.rows[KEY] = Checkpoint(KEY, "another", time.time() + 100).to_item(time.time())
        first = asyncio.create_task(once.call(COMMENT, fields={"COMMENT": "a"}))
        await asyncio.to_thread(begun.wait, 5)
        second = asyncio.create_task(once.call(COMMENT, fields={"COMMENT": "b"}))
        for _ in range(20):
            await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(first, second, return_exceptions=True)

    assert [once.code for once in record.deliver(portal, react)] == ["IN_PROGRESS"] * 2
    assert not portal.calls
    assert record.table.rows[KEY]["owner"] == {"S": "another"}


def test_a_run_that_read_too_early_continues_from_the_stored_checkpoint(record):
    """A run that read before another run stored gets that run's writes and failures."""
    portal = FakePortal({COMMENT: 7})
    record.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"}))
    stored = record.stored()
    stored.failures = 2
    record.table.rows[KEY] = stored.to_item(time.time())

    async def late():
        run = record.run_of(Checkpoint(KEY), "late")
        result = await once(portal, run).call(COMMENT, fields={"COMMENT": "x"})
        await run.finish(failed=True)
        return result

    record.offset = 10
    assert asyncio.run(late()) == 7
    assert len(portal.calls) == 1
    row = record.stored()
    assert (row.failures, row.owner, len(row.writes)) == (3, "late", 1)
