"""relay.reaction.once: each write of a record is done once."""

import asyncio
import time
from contextlib import suppress

import pytest

from relay.echo.stamps import stamp_of
from relay.errors import (
    CallError,
    MayHaveRunError,
    PermanentError,
    StateError,
    TransientError,
)
from relay.portal.fake import FakePortal
from tests.runs import COMMENT, TASK, calls, in_trouble


def test_a_second_delivery_gets_the_recorded_result(record):
    """A second delivery returns the recorded result and sends nothing."""
    portal = FakePortal({COMMENT: 7})
    assert record.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"})) == 7
    assert record.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"})) == 7
    assert len(portal.calls) == 1
    assert record.run.replayed == 1
    assert not record.logged


def test_a_refused_call_is_not_recorded(record):
    """A refused call is sent anew by the next delivery."""
    portal = FakePortal()
    portal.fail(COMMENT, "ACCESS_DENIED")
    with pytest.raises(PermanentError):
        record.deliver(portal, calls(COMMENT, fields={}))
    portal = FakePortal({COMMENT: 7})
    assert record.deliver(portal, calls(COMMENT, fields={})) == 7


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (COMMENT, {"fields": {"COMMENT": "x"}}),
        ("crm.item.add", {"entityTypeId": 7, "fields": {}}),
        ("crm.item.add", {"entityTypeId": "deal", "fields": {}}),
        ("crm.deal.add", {"fields": {"ORIGIN_ID": "mine"}}),
        ("crm.deal.add", {"fields": "nonsense"}),
    ],
)
def test_a_write_without_a_stamp_needs_an_operator(record, method, params):
    """A lost answer without a stamp is UNDECIDED until an operator has confirmed it."""
    assert stamp_of(method, params, "key") is None
    portal = FakePortal()
    portal.fail(method, "MayHaveRunError")
    with pytest.raises(MayHaveRunError, match=r"`make drop` this letter, if not, `make redrive`"):
        record.deliver(portal, calls(method, **params))
    record.offset = 200
    portal = FakePortal({method: 7})
    with pytest.raises(MayHaveRunError, match="nothing that it makes can be looked up"):
        record.deliver(portal, calls(method, **params))
    with pytest.raises(MayHaveRunError, match="nothing that it makes can be looked up"):
        record.deliver(portal, calls(method, **params), sent_back=True)  # for another reason
    assert record.deliver(portal, calls(method, **params), confirmed_at=time.time()) == 7


def test_an_operators_decision_covers_earlier_writes_only(record):
    """A confirmation covers writes sent before it; a second lost answer is UNDECIDED once more."""
    portal = FakePortal()
    portal.fail(COMMENT, "MayHaveRunError")
    with pytest.raises(MayHaveRunError):
        record.deliver(portal, calls(COMMENT, fields={}))
    record.offset = 200
    decided = time.time()
    record.offset = 300
    for _ in range(2):
        with pytest.raises(MayHaveRunError):
            record.deliver(portal, calls(COMMENT, fields={}), sent_back=True, confirmed_at=decided)
        record.offset += 200
    assert len(portal.calls) == 2


def test_a_confirmed_write_is_sent_after_its_new_time_is_stored(record):
    """A function that is killed while it sends a confirmed write leaves one to be confirmed."""
    portal = FakePortal()
    portal.fail(COMMENT, "MayHaveRunError")
    with pytest.raises(MayHaveRunError):
        record.deliver(portal, calls(COMMENT, fields={}))
    record.offset = 200
    decided = time.time()
    stored = []
    portal = FakePortal({COMMENT: lambda **_: stored.append(record.stored().writes[0].at)})
    record.deliver(portal, calls(COMMENT, fields={}), confirmed_at=decided)
    assert stored[0] >= decided


def test_the_end_of_a_run_loses_no_intent(record):
    """A run that ends while its lease is stored leaves the lost write, which is looked up later."""
    record.lose("crm.deal.add", fields={})

    async def end(once):
        store = record.run.lease.store

        async def store_and_end():
            await store()
            record.run.claims.closed = True

        record.run.lease.store = store_and_end
        await once.call("crm.deal.add", fields={})

    with pytest.raises(MayHaveRunError):
        record.deliver(FakePortal(lambda *_: []), end)
    assert [write.method for write in record.stored().writes] == ["crm.deal.add"]


def test_the_lost_writes_of_a_run_need_one_lease(record):
    """The second lost write of a repeat is looked up without another request to the table."""
    methods = ("crm.deal.add", "crm.lead.add")
    portal = FakePortal()
    for method in methods:
        portal.fail(method, "MayHaveRunError")

    async def both(once):
        for method in methods:
            with suppress(TransientError):
                await once.call(method, fields={})

    record.deliver(portal, both)
    record.offset = 200
    before = len(record.table.asked)
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}], "crm.lead.list": [{"ID": "9"}]})
    record.deliver(portal, both)
    assert [method for method, _ in portal.calls] == ["crm.deal.list", "crm.lead.list"]
    assert record.table.asked[before:] == ["PutItem", "BatchWriteItem"]


def test_a_lost_harmless_write_is_sent_once_more(record):
    """A lost update is sent once more, as setting the same values twice changes nothing."""
    portal = FakePortal()
    portal.fail("crm.item.update", "MayHaveRunError")
    update = calls("crm.item.update", entityTypeId=2, id=5, fields={"title": "x"})
    with pytest.raises(TransientError):
        record.deliver(portal, update)
    record.offset = 70
    answer = {"item": {"id": 5, "title": "x"}}
    assert record.deliver(FakePortal({"crm.item.update": answer}), update) == {"item": {"id": 5}}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [("tasks.task.add", TASK, "ANSWER_LOST"), (COMMENT, {"fields": {}}, "UNDECIDED")],
)
def test_a_call_repeated_after_a_lost_answer_begins_no_second_write(record, method, params, code):
    """A reaction that catches the error of a lost answer and calls again makes one item."""
    portal = FakePortal()
    portal.fail(method, "MayHaveRunError")

    async def insist(once):
        for _ in range(3):
            with suppress(CallError):
                await once.call(method, **params)
        await once.call(method, **params)

    with pytest.raises(CallError, match=code):
        record.deliver(portal, insist)
    assert len(portal.calls) == 1


def test_a_refused_call_may_be_repeated_in_the_same_run(record):
    """A call that was refused may be repeated in the same run, and is recorded once it has run."""
    answers = [TransientError(COMMENT, "QUERY_LIMIT_EXCEEDED"), 7]
    portal = FakePortal({COMMENT: lambda **_: answers.pop(0)})

    async def insist(once):
        try:
            return await once.call(COMMENT, fields={})
        except TransientError:
            return await once.call(COMMENT, fields={})

    assert record.deliver(portal, insist) == 7
    assert record.deliver(portal, insist) == 7
    assert len(portal.calls) == 2


def test_without_the_table_nothing_is_sent(record):
    """Without the right to write the table no call is sent, and StateError names the right."""
    portal = FakePortal({COMMENT: 7})
    with (
        in_trouble(record.table, "PutItem"),
        pytest.raises(StateError, match="not authorized to perform PutItem"),
    ):
        record.deliver(portal, calls(COMMENT, fields={}))
    assert not portal.calls
    assert record.deliver(portal, calls(COMMENT, fields={})) == 7


def test_after_a_refused_create_no_two_have_one_stamp(record):
    """Creates after a refused one have stamps of their own, so a lookup finds the right item."""
    marks = []

    def add(fields):
        marks.append(fields["ORIGIN_ID"])
        if fields["TITLE"] == "refused":
            raise PermanentError("crm.deal.add", "ACCESS_DENIED")
        return len(marks)

    async def react(once):
        titles = ("refused", "b", "c")
        deals = (once.call("crm.deal.add", fields={"TITLE": title}) for title in titles)
        await asyncio.gather(*deals, return_exceptions=True)
        await once.call("crm.deal.add", fields={"TITLE": "d"})

    record.deliver(FakePortal({"crm.deal.add": add}), react)
    assert len(marks) == len(set(marks)) == 4
    numbers = [once.number for once in record.stored().writes]
    assert sorted(numbers) == [1, 2, 3]


def test_an_intent_that_was_not_stored_leaves_nothing(record):
    """A call repeated after the table's failure makes one write, with number 0."""
    portal = FakePortal({"crm.deal.add": 7})

    async def insist(once):
        with in_trouble(record.table, "PutItem"), pytest.raises(StateError):
            await once.call("crm.deal.add", fields={})
        return await once.call("crm.deal.add", fields={})

    assert record.deliver(portal, insist) == 7
    (write,) = record.stored().writes
    assert (write.number, write.done) == (0, True)


def test_a_lost_write_stays_the_same_through_a_failure_of_the_table(record):
    """A call repeated after the table's failure gets the item that the lost call made."""
    record.lose("crm.deal.add", 200, fields={})
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}], "crm.deal.add": 10})

    async def insist(once):
        with in_trouble(record.table, "PutItem"), pytest.raises(StateError):
            await once.call("crm.deal.add", fields={})
        return await once.call("crm.deal.add", fields={})

    assert record.deliver(portal, insist) == 9
    assert [method for method, _ in portal.calls] == ["crm.deal.list"]


def test_harmless_writes_are_stored_with_the_end_of_the_run(record):
    """Three updates need one request for the lease and one at the end of the run."""
    portal = FakePortal({"crm.item.update": {"item": {"id": 5}}})

    async def react(once):
        for title in "abc":
            await once.call("crm.item.update", entityTypeId=2, id=5, fields={"title": title})

    record.deliver(portal, react)
    assert record.table.asked == ["PutItem", "BatchWriteItem"]
    assert len(record.stored().writes) == 3


def test_an_unexpected_error_of_the_table_is_raised_or_logged(record):
    """An unexpected error of the table is raised before a call, and only logged after it."""
    for operation in ("PutItem", "BatchWriteItem"):
        record.table.trouble = {operation: UnicodeEncodeError("utf-8", "x", 0, 1, "no")}
        if operation == "PutItem":
            with pytest.raises(UnicodeEncodeError):
                record.deliver(FakePortal({COMMENT: 7}), calls(COMMENT, fields={}))
        else:
            assert record.deliver(FakePortal({COMMENT: 7}), calls(COMMENT, fields={})) == 7
            assert record.logged[-1][0] == "not recorded"
