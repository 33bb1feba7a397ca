"""relay.reaction.deadline: what happens when the function's time is over."""

import asyncio
import signal
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from relay.change import Change
from relay.event import Event
from relay.portal import Portal
from relay.reaction import Reaction, reaction
from relay.reaction.deadline import RESERVE_SECONDS, Deadline, cancel
from tests.batches import handle
from tests.late import deadline_of
from tests.samples import change_of, event_of

EVENT = event_of()


def hanging(heeds):
    """Return a reaction that never returns."""

    async def hang(change: Change, _portal: Portal) -> None:
        """Hang for one item."""
        while change.id == "5":
            asyncio.get_running_loop().call_later(
                0.06, deadline.come.set
            )  # longer than the reserve
            if heeds:
                await asyncio.Event().wait()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(9)

    late = Reaction(hang)
    deadline = deadline_of(late)
    return late


@pytest.mark.usefixtures("portal", "short")
@pytest.mark.parametrize("heeds", [True, False])
def test_a_reaction_that_hangs_harms_no_other(capsys, heeds):
    """A hanging reaction is cancelled, or abandoned; the other records are handled."""
    bodies = [
        change_of(version=2).to_json(),
        change_of(version=3).to_json(),
        change_of("deal/6", 2).to_json(),
    ]
    assert handle(hanging(heeds), *bodies) == ["m0", "m1"]
    out = capsys.readouterr().out
    assert '"error":"HungError","reason":"hang did not return' in out
    assert '"error":"TransientError","reason":"hang: NO_TIME' in out
    assert '"handled":[1.0]' in out


@pytest.mark.usefixtures("portal")
def test_a_reaction_that_is_late_may_put_its_things_away():
    """A reaction is cancelled at the deadline, and what it does then is awaited."""
    put_away = []

    @reaction
    async def hang(_change: Change) -> None:
        """Hang, and put things away."""
        deadline.come.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            put_away.append(1)

    deadline = deadline_of(hang)
    assert handle(hang, change_of().to_json()) == ["m0"]
    assert put_away == [1]


def test_a_reaction_that_holds_the_thread_is_stopped(portal, monkeypatch, capsys):
    """A reaction that blocks the event loop is ended by a signal; the other records are handled."""
    monkeypatch.setattr("relay.reaction.deadline.RESERVE_SECONDS", 0.4)
    monkeypatch.setattr("relay.reaction.deadline.GRACE_SECONDS", 0.05)

    @reaction
    async def block(change: Change) -> None:
        """Block for one item."""
        if change.id == "5":
            time.sleep(9)  # noqa: ASYNC251  the mistake

    bodies = [change_of("deal/6", 2).to_json(), change_of(version=2).to_json()]
    assert handle(block, *bodies, seconds=0.5) == ["m1"]
    out = capsys.readouterr().out
    assert '"error":"HungError","reason":"block holds the thread; waiting without' in out
    assert '"handled":[1.0]' in out
    assert not portal.sqs.sent


def test_the_remaining_time_is_the_functions(sqs):
    """A reaction may take the function's remaining time, less what handing back needs."""
    left = []

    @reaction
    async def measure(_event: Event) -> None:
        """Note what time is left."""
        left.append(measure._deadline.remaining_seconds())  # noqa: SLF001

    handle(measure, EVENT.to_json(), seconds=10.0)
    assert 7.5 < left[0] <= 10.0 - RESERVE_SECONDS
    assert not sqs.sent


def test_a_reaction_that_never_ends_is_stopped_in_time(sqs):
    """The record of an endless reaction is handed back before the function's time is over."""

    @reaction
    async def hang(event: Event) -> None:
        """Hang for one."""
        if event.id == "7":
            await asyncio.Event().wait()

    other = replace(EVENT, event_id="main.contact.8.add", id="8")
    seconds = RESERVE_SECONDS + 0.3
    assert handle(hang, EVENT.to_json(), other.to_json(), seconds=seconds) == ["m0"]
    assert sqs.hidden[0]["ReceiptHandle"] == "r0"


def test_a_late_task_is_cancelled_and_may_put_its_things_away():
    """A cancelled reaction's `finally` runs before its record is handed back."""
    ended = []

    async def reaction():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("put away")

    async def run():
        task = asyncio.create_task(reaction())
        await asyncio.sleep(0)
        await cancel({task})
        return list(ended), task.cancelled()

    assert asyncio.run(run()) == (["put away"], True)


def test_the_alarm_leaves_the_handler_that_was_there():
    """A handler of SIGALRM that the process had before is there again after an invocation."""
    before = signal.getsignal(signal.SIGALRM)
    own = Deadline("r")
    own.begin(10)

    async def run():
        await own.wait({asyncio.create_task(asyncio.sleep(0))})

    asyncio.run(run())
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
