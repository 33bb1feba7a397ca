"""relay.portal.sending: a request's outcomes reach the calls in it, and no call runs twice."""

import asyncio

import pytest

from relay.errors import MayHaveRunError, OperatorError, PermanentError, TransientError
from relay.portal import Portal
from relay.portal.http import ANSWER_TOO_LARGE, Reply
from relay.portal.webhook_state import state_of
from tests.portal_wire import (
    RATE,
    READ,
    SECRET,
    WRITE,
    SlowSlots,
    commands_of,
    raised,
    refuse,
    reply,
)


def test_one_call_alone_leaves_plainly(wire, clock, webhook):
    """A call that is alone in its request is sent plainly, with its parameters as JSON."""
    wire.answer = lambda method, params: [method, params]
    result = clock.run(Portal(webhook).call("crm.item.get", entityTypeId=2, flag=None))
    assert result == ["crm.item.get", {"entityTypeId": 2, "flag": None}]
    assert [method for method, _ in wire.requests] == ["crm.item.get"]


def test_a_method_that_is_refused_in_a_batch_is_sent_alone(wire, clock, webhook):
    """The portal refuses the method in a batch once; from then on it gets a request to itself."""

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


def test_an_error_is_raised_in_the_call_that_caused_it(wire, clock, webhook):
    """A failed command of a batch raises in its caller; the others get their results."""

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


def test_a_lost_batch_retries_its_idempotent_commands_only(wire, clock, webhook):
    """After a lost answer, reads and updates are sent again; a create raises MayHaveRunError."""
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


def test_a_bug_does_not_replace_an_earlier_error(wire, clock, webhook):
    """A call that failed before its request was sent keeps its error when a bug breaks that."""
    portal = Portal(webhook, slots=SlowSlots(clock), remaining_seconds=lambda: 30)
    wire.script = [ZeroDivisionError("a bug")]

    async def both():
        calls = asyncio.gather(portal.call("a"), portal.call("b"), return_exceptions=True)
        await asyncio.sleep(1)
        state_of(webhook).operating.block("a")
        return await calls

    a, b = clock.run(both())
    assert (type(a), type(b)) == (TransientError, ZeroDivisionError)


def test_a_call_is_not_sent_at_the_end_of_the_function(wire, clock, webhook):
    """With 0.4 s left a call raises NO_TIME, to be retried at once, and sends nothing."""
    error = raised(clock, Portal(webhook, remaining_seconds=lambda: 0.4), kind=TransientError)
    assert (error.code, error.retry_after, error.method) == ("NO_TIME", 0, READ)
    assert wire.requests == []


def test_a_call_whose_slot_came_too_late_is_not_sent(wire, clock, webhook):
    """A request is not sent if the wait for its slot has left less than half a second."""
    ends_at = clock.now + 5.2
    slots = SlowSlots(clock)
    portal = Portal(webhook, slots=slots, remaining_seconds=lambda: ends_at - clock.now)
    assert raised(clock, portal, WRITE, TransientError).code == "NO_TIME"
    assert wire.requests == []


def test_a_slot_leaves_time_for_the_request(wire, clock, webhook):
    """A slot is so early that a request twice as long as the last one ends before the function."""
    latest = []

    class Slots(SlowSlots):
        def take(self, at):
            latest.append(at - clock.now)
            return clock.now

    portal = Portal(webhook, slots=Slots(clock), remaining_seconds=lambda: 60)
    wire.seconds = 7
    for _ in range(2):
        clock.run(portal.call(READ, id=1))
    assert latest == pytest.approx([59, 46], abs=0.1)


def test_a_call_that_was_frozen_until_another_invocation_is_not_sent(wire, clock, webhook):
    """A call that a thawed function would send in its next invocation raises NO_TIME instead."""
    ends_at = [clock.now + 30]
    slots = SlowSlots(clock)
    portal = Portal(webhook, slots=slots, remaining_seconds=lambda: ends_at[0] - clock.now)

    async def freeze():
        call = asyncio.create_task(portal.call(WRITE, id=1))
        await asyncio.sleep(1)
        clock.now += 600
        ends_at[0] = clock.now + 30
        await call

    with pytest.raises(TransientError, match="NO_TIME"):
        clock.run(freeze())
    assert wire.requests == []


def test_the_error_of_a_request_is_raised_in_each_call(wire, clock, webhook):
    """Each caller gets the error under its own method's name, and without the secret."""
    wire.script = [refuse(401, "NO_AUTH_FOUND", f"/rest/7/{SECRET}/ is unknown")]
    portal = Portal(webhook)

    async def two():
        return await asyncio.gather(portal.call("a"), portal.call("b"), return_exceptions=True)

    errors = clock.run(two())
    assert [(type(e), e.method) for e in errors] == [(OperatorError, "a"), (OperatorError, "b")]
    assert SECRET not in f"{errors}"
    assert len(wire.requests) == 1


def test_calls_of_a_refused_batch_share_their_retry(wire, clock, webhook):
    """Calls of a request that the rate refused leave together again, and run once each."""
    wire.script = [RATE]
    portal = Portal(webhook)

    async def two():
        await asyncio.gather(portal.call(WRITE, fields={"title": "a"}), portal.call("b"))

    clock.run(two())
    assert [method for method, _ in wire.requests] == ["batch", "batch"]
    assert len(wire.commands) == 2


@pytest.mark.parametrize(
    "sections",
    [
        [],
        "text",
        {"result_error": []},
        {"result": {}, "result_error": []},
        {"result": [], "result_error": {}},
    ],
)
def test_a_call_missing_in_the_answer_may_have_run(wire, clock, webhook, sections):
    """If an answer has no outcome for a call, an update is sent again and a create is not."""
    wire.script = [reply(result=sections)]
    portal = Portal(webhook)

    async def two():
        return await asyncio.gather(
            portal.call(WRITE, fields={"title": "a"}),
            portal.call("crm.item.update", id=1, fields={"title": "a"}),
            return_exceptions=True,
        )

    add, update = clock.run(two())
    assert isinstance(add, MayHaveRunError)
    assert update is True
    assert [method for method, _ in wire.commands] == ["crm.item.update"]


def test_an_answer_that_is_too_large_loses_no_create(wire, clock, webhook):
    """Reads are retried in smaller requests until one raises PermanentError; creates run once."""

    def large(body):
        ids = [params["id"] for _, params in commands_of(body)]
        return MayHaveRunError("batch", ANSWER_TOO_LARGE) if "3" in ids else None

    def planned(body):
        if "cmd" in body and "crm.item.get" in str(body):
            return large(body)
        return MayHaveRunError("x", ANSWER_TOO_LARGE) if body.get("id") == 3 else None

    wire.script = [planned] * 20
    portal = Portal(webhook)

    async def mixed():
        return await asyncio.gather(
            *(portal.call(WRITE, fields={"title": "a"}) for _ in range(3)),
            *(portal.call(READ, id=n) for n in range(6)),
            return_exceptions=True,
        )

    results = clock.run(mixed())
    assert [str(result)[:6] for result in results] == ["True"] * 6 + ["crm.it"] + ["True"] * 2
    assert isinstance(results[6], PermanentError)
    assert [method for method, _ in wire.commands].count(WRITE) == 3


def test_a_request_that_is_too_large_is_halved(wire, clock, webhook):
    """Eight calls whose body the web server refuses are sent as two requests of four."""

    def only_four(body):
        return Reply(413, b"<html>") if len(body.get("cmd", [])) > 4 else None

    wire.script = [only_four] * 9
    portal = Portal(webhook)

    async def eight():
        await asyncio.gather(*(portal.call(WRITE, fields={"title": "a"}) for _ in range(8)))

    clock.run(eight())
    assert len(wire.commands) == 8
    assert [len(body["cmd"]) for _, body in wire.requests] == [8, 4, 4]
