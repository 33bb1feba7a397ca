"""relay.reaction.run: writes are finished and stored, however a reaction ends."""

import asyncio
import gc

import pytest

from relay.errors import PermanentError
from relay.portal.fake import FakePortal
from relay.reaction.checkpoint import Checkpoint
from tests.runs import COMMENT, KEY, calls, in_trouble, once


def test_a_write_is_finished_although_its_caller_was_cancelled(record):
    """A write under way is finished and recorded although its caller was cancelled."""

    async def react():
        gate, begun = asyncio.Event(), asyncio.Event()

        class Slow(FakePortal):
            async def call(self, _method, /, **_params):
                begun.set()
                await gate.wait()
                return 7

        run = record.run_of(Checkpoint(KEY), "t")
        task = asyncio.create_task(once(Slow(), run).call(COMMENT, fields={}))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        asyncio.get_running_loop().call_later(0.01, gate.set)
        await run.finish(failed=False)

    asyncio.run(react())
    assert record.deliver(FakePortal(), calls(COMMENT, fields={})) == 7


def test_a_result_that_can_not_be_stored_is_logged(record):
    """A record whose result can't be stored is handled all the same, with a log line."""
    with in_trouble(record.table, "BatchWriteItem"):
        assert record.deliver(FakePortal({COMMENT: 7}), calls(COMMENT, fields={})) == 7
    assert record.logged[-1][0] == "not recorded"


def test_failures_are_counted_even_before_the_first_write(record):
    """A failure is stored although the run has written nothing."""

    async def fail(_portal):
        raise ZeroDivisionError

    for expected in (1, 2):
        with pytest.raises(ZeroDivisionError):
            record.deliver(FakePortal(), fail)
        assert record.stored().failures == expected


def test_a_failed_run_with_a_write_stores_once_at_its_end(record):
    """The number of failures goes with the write's result: no request of its own."""
    portal = FakePortal({COMMENT: 7})

    async def write_and_fail(once):
        await once.call(COMMENT, fields={})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record.deliver(portal, write_and_fail)
    assert record.stored().failures == 1
    assert record.table.asked == ["PutItem", "BatchWriteItem"]


def test_a_write_that_fails_when_its_caller_is_gone_leaves_no_noise(record):
    """The error of a write whose caller was cancelled is not reported as never retrieved."""
    reported = []

    async def react():
        asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what))
        gate, begun = asyncio.Event(), asyncio.Event()

        class Refusing(FakePortal):
            async def call(self, method, /, **_params):
                begun.set()
                await gate.wait()
                raise PermanentError(method, "REFUSED", "no")

        run = record.run_of(Checkpoint(KEY), "t")
        task = asyncio.create_task(once(Refusing(), run).call(COMMENT, fields={}))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gate.set()
        await run.finish(failed=False)

    asyncio.run(react())
    gc.collect()
    assert reported == []


def test_a_run_that_has_ended_sends_nothing_new(record):
    """A call that nobody awaited is cancelled with the end of its run, and not sent."""
    portal = FakePortal({COMMENT: 7})
    tasks = []

    async def react(once):
        tasks.append(asyncio.create_task(once.call(COMMENT, fields={})))
        await asyncio.sleep(0)

    record.deliver(portal, react)
    assert tasks[0].cancelled()
    assert not portal.calls
    assert not record.stored().writes
