"""relay.reaction.matching: the calls of a repeat get the recorded writes."""

import asyncio

import pytest

from relay.errors import DivergedError
from relay.portal.fake import FakePortal
from relay.reaction import matching
from relay.reaction.checkpoint import Checkpoint, Write
from relay.reaction.matching import Claims, equal, first
from tests.runs import COMMENT, calls


def test_a_call_with_other_parameters_gets_the_recorded_result_and_a_log_line(record):
    """A title with the time in it makes no second task: the record wins."""
    portal = FakePortal({COMMENT: 7})
    record.deliver(portal, calls(COMMENT, fields={"COMMENT": "at 9"}))
    assert record.deliver(portal, calls(COMMENT, fields={"COMMENT": "at 10"})) == 7
    assert len(portal.calls) == 1
    assert record.logged[0][0] == "replayed with other parameters"


def test_another_method_is_an_error_until_an_operator_sends_the_record_back(record):
    """Code that changed between two deliveries does not do half of each."""
    portal = FakePortal({COMMENT: 7, "im.notify.system.add": 1})
    record.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"}))
    other = calls("im.notify.system.add", USER_ID=1, MESSAGE="x")
    with pytest.raises(DivergedError, match=r"where the first run called crm\.timeline"):
        record.deliver(portal, other)
    assert len(portal.calls) == 1
    assert record.deliver(portal, other, sent_back=True) == 1


def test_a_call_is_matched_by_its_parameters_first_then_in_order():
    """Where no parameters are equal the lowest number is taken, wherever it stands in the row."""
    second, lowest, other = Write("m", 1, "b", 0), Write("m", 0, "a", 0), Write("n", 0, "c", 0)
    writes = [second, lowest, other]
    assert equal(writes, "m", "b") is second
    assert equal(writes, "m", "c") is None
    assert first(writes, "m") is lowest
    assert first([second, other], "m") is second
    assert first([other], "m") is None


async def _list(portal):
    return [item async for item in portal.list("crm.item.list", entityTypeId=2)]


@pytest.mark.parametrize(
    "read",
    [
        _list,
        calls("crm.item.get", entityTypeId=2, id=5),
        lambda portal: portal.batch({"a": ("crm.item.get", {"entityTypeId": 2, "id": 5})}),
    ],
    ids=["list", "call", "batch"],
)
def test_a_call_waits_for_a_sibling_that_reads_before_it_writes(record, monkeypatch, read):
    """While a read is under way the write after it may still claim its own record."""
    results = iter((7, 8))
    portal = FakePortal({COMMENT: lambda **_: next(results)})

    async def write_both(once):
        return [await once.call(COMMENT, fields={"COMMENT": text}) for text in ("a", "b at 9")]

    assert record.deliver(portal, write_both) == [7, 8]

    async def repeat(once):
        gate, pauses = asyncio.Event(), []

        class Slow(FakePortal):
            async def call(self, _method, /, **_params):
                await gate.wait()

            async def batch(self, _commands, /, **_options):
                await gate.wait()

            async def list(self, _method, /, **_params):
                await gate.wait()
                yield {}

        async def pause(_seconds):
            pauses.append(1)
            if len(pauses) == 9:
                gate.set()
            await asyncio.sleep(0)

        async def read_and_write():
            await read(once)
            return await once.call(COMMENT, fields={"COMMENT": "a"})

        async def write():
            result = await once.call(COMMENT, fields={"COMMENT": "b at 10"})
            gate.set()
            return result

        monkeypatch.setattr(matching, "_pause", pause)
        monkeypatch.setattr(once, "_portal", Slow())
        return await asyncio.gather(read_and_write(), write())

    assert record.deliver(portal, repeat) == [7, 8]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(("b at 10", "a"), [8, 7]), (("a", "b at 9"), [7, 8]), (("b at 9", "a"), [8, 7])],
)
def test_concurrent_calls_each_get_their_own_record(record, texts, expected):
    """Equal parameters come first: a call with others leaves its siblings the time to claim."""
    results = iter((7, 8))
    portal = FakePortal({COMMENT: lambda **_: next(results)})

    async def write_both(once):
        return [await once.call(COMMENT, fields={"COMMENT": text}) for text in ("a", "b at 9")]

    async def repeat(once):
        return await asyncio.gather(
            *(once.call(COMMENT, fields={"COMMENT": text}) for text in texts)
        )

    assert record.deliver(portal, write_both) == [7, 8]
    assert record.deliver(portal, repeat) == expected


def test_a_new_write_beside_a_sibling_that_waits_too_is_no_other_method(record):
    """A run that was killed after its first write goes on, whatever else it calls meanwhile."""
    portal = FakePortal({COMMENT: 7, "crm.deal.add": 9})
    record.deliver(portal, calls(COMMENT, fields={"COMMENT": "at 9"}))

    async def repeat(once):
        return await asyncio.gather(
            once.call(COMMENT, fields={"COMMENT": "at 10"}),
            once.call("crm.deal.add", fields={"TITLE": "x"}),
        )

    assert record.deliver(portal, repeat) == [7, 9]
    assert [method for method, _ in portal.calls] == [COMMENT, "crm.deal.add"]


def claims_of(*methods):
    """Return the claims of a run that has recorded a write of each method."""
    writes = [Write(method, number, "a", 0) for number, method in enumerate(methods)]
    checkpoint = Checkpoint("key", writes=writes)
    return Claims(checkpoint, sent_back=False), checkpoint


async def find(claims, method, digest="b"):
    """Find and claim a call's write, with the call under way."""
    with claims.call():
        write = await claims.find(method, digest)
        if write:
            claims.claim(write)
        return write


def test_a_write_kept_for_a_retry_is_forgotten_with_its_checkpoint():
    """After another run was faster, a call gets the stored write, not the one kept for a retry."""
    claims, checkpoint = claims_of("m")
    (kept,) = checkpoint.writes
    claims.keep_for_retry(kept, "a")
    claims.switch_to(claims_of("m")[1])
    (stored,) = checkpoint.writes
    assert asyncio.run(find(claims, "m", "a")) is stored is not kept


def test_a_call_that_waits_for_siblings_ends_with_its_run(monkeypatch):
    """A waiting call is cancelled when the run is closed: it claims nothing after that."""
    claims, _ = claims_of("m")

    async def close(_seconds):
        claims.closed = True

    monkeypatch.setattr(matching, "_pause", close)

    async def run():
        with pytest.raises(asyncio.CancelledError):
            await find(claims, "m")

    asyncio.run(run())


def test_a_sibling_that_waited_and_went_claims_nothing_any_more(monkeypatch):
    """A call that has waited is no sibling to the calls after it: they do not wait for it."""
    claims, _ = claims_of("m", "m", "n")
    pauses = []

    async def pause(_seconds):
        pauses.append(1)
        assert len(pauses) < 20, "waits for ever"

    monkeypatch.setattr(matching, "_pause", pause)

    async def run():
        assert (await find(claims, "m")).number == 0
        assert (await find(claims, "m", "c")).number == 1
        with pytest.raises(DivergedError):
            await find(claims, "m", "d")

    asyncio.run(run())


def test_a_new_call_waits_for_a_sibling_that_may_claim_the_last_write(monkeypatch):
    """A call without a recorded write is new if a waiting sibling claims what is left."""
    claims, _ = claims_of("m")
    pause = asyncio.sleep
    monkeypatch.setattr(matching, "_pause", lambda _seconds: pause(0))

    async def run():
        return await asyncio.gather(find(claims, "n"), find(claims, "m"))

    new, recorded = asyncio.run(run())
    assert new is None
    assert (recorded.method, recorded.number) == ("m", 0)
