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
    """Nothing is sent again, and the answer is the one of then."""
    portal = FakePortal({COMMENT: 7})
    assert record.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"})) == 7
    assert record.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"})) == 7
    assert len(portal.calls) == 1
    assert record.run.replayed == 1
    assert not record.logged


def test_what_did_not_run_is_not_recorded(record):
    """A refused call is made anew the next time: what was wrong may have been put right."""
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
def test_what_leaves_no_mark_is_for_a_person_to_decide(record, method, params):
    """The error says what to look for and what to do then; sent back by a person it is sent."""
    assert stamp_of(method, params, "key") is None
    portal = FakePortal()
    portal.fail(method, "MayHaveRunError")
    with pytest.raises(MayHaveRunError, match=r"delete this message, if not, `make redrive`"):
        record.deliver(portal, calls(method, **params))
    record.offset = 200
    portal = FakePortal({method: 7})
    with pytest.raises(MayHaveRunError, match="nothing that it makes can be looked up"):
        record.deliver(portal, calls(method, **params))
    with pytest.raises(MayHaveRunError, match="nothing that it makes can be looked up"):
        record.deliver(portal, calls(method, **params), sent_back=True)  # for another reason
    assert record.deliver(portal, calls(method, **params), confirmed_at=time.time()) == 7


def test_a_person_has_decided_on_what_was_sent_before_only(record):
    """The message bears the decision for ever; a second lost answer is a new question."""
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


def test_a_lost_answer_of_a_harmless_write_is_no_question(record):
    """Setting the same values again changes nothing."""
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
def test_a_reaction_that_asks_again_after_a_lost_answer_begins_no_second_write(
    record, method, params, code
):
    """Its own `try` and `except` around a call must not be what makes a second task."""
    portal = FakePortal()
    portal.fail(method, "MayHaveRunError")

    async def insist(its):
        for _ in range(3):
            with suppress(CallError):
                await its.call(method, **params)
        await its.call(method, **params)

    with pytest.raises(CallError, match=code):
        record.deliver(portal, insist)
    assert len(portal.calls) == 1


def test_a_refused_call_may_be_made_again_in_the_same_run(record):
    """It did not run, so there is nothing to be careful of."""
    answers = [TransientError(COMMENT, "QUERY_LIMIT_EXCEEDED"), 7]
    portal = FakePortal({COMMENT: lambda **_: answers.pop(0)})

    async def insist(its):
        try:
            return await its.call(COMMENT, fields={})
        except TransientError:
            return await its.call(COMMENT, fields={})

    assert record.deliver(portal, insist) == 7
    assert record.deliver(portal, insist) == 7
    assert len(portal.calls) == 2


def test_without_the_table_nothing_is_sent(record):
    """A missing right is named, and the write is made when it is there."""
    portal = FakePortal({COMMENT: 7})
    with (
        in_trouble(record.table, "TransactWriteItems"),
        pytest.raises(StateError, match="not authorized to perform TransactWriteItems"),
    ):
        record.deliver(portal, calls(COMMENT, fields={}))
    assert not portal.calls
    assert record.deliver(portal, calls(COMMENT, fields={})) == 7


def test_after_a_refused_create_no_two_have_one_mark(record):
    """Else a lookup finds the other's item, and an effect is missing."""
    marks = []

    def add(fields):
        marks.append(fields["ORIGIN_ID"])
        if fields["TITLE"] == "refused":
            raise PermanentError("crm.deal.add", "ACCESS_DENIED")
        return len(marks)

    async def react(its):
        titles = ("refused", "b", "c")
        deals = (its.call("crm.deal.add", fields={"TITLE": title}) for title in titles)
        await asyncio.gather(*deals, return_exceptions=True)
        await its.call("crm.deal.add", fields={"TITLE": "d"})

    record.deliver(FakePortal({"crm.deal.add": add}), react)
    assert len(marks) == len(set(marks)) == 4
    numbers = [its.number for its in record.stored().writes]
    assert sorted(numbers) == [1, 2, 3]


def test_an_intent_that_could_not_be_stored_is_none(record):
    """A reaction that catches the table's error and asks again makes one write, the first."""
    portal = FakePortal({"crm.deal.add": 7})

    async def insist(its):
        with in_trouble(record.table, "TransactWriteItems"), pytest.raises(StateError):
            await its.call("crm.deal.add", fields={})
        return await its.call("crm.deal.add", fields={})

    assert record.deliver(portal, insist) == 7
    (write,) = record.stored().writes
    assert (write.number, write.done) == (0, True)


def test_a_lost_write_stays_the_same_one_through_a_table_s_failure(record):
    """A reaction that catches the table's error and asks again gets what it made."""
    portal = FakePortal()
    portal.fail("crm.deal.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        record.deliver(portal, calls("crm.deal.add", fields={}))
    record.offset = 200
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}], "crm.deal.add": 10})

    async def insist(its):
        with in_trouble(record.table, "TransactWriteItems"), pytest.raises(StateError):
            await its.call("crm.deal.add", fields={})
        return await its.call("crm.deal.add", fields={})

    assert record.deliver(portal, insist) == 9
    assert [method for method, _ in portal.calls] == ["crm.deal.list"]


def test_what_is_harmless_costs_no_request_of_its_own(record):
    """The lease is taken once; what may be sent twice is stored with the end of the run."""
    portal = FakePortal({"crm.item.update": {"item": {"id": 5}}})

    async def react(its):
        for title in "abc":
            await its.call("crm.item.update", entityTypeId=2, id=5, fields={"title": title})

    record.deliver(portal, react)
    assert record.table.asked == ["TransactWriteItems", "BatchWriteItem"]
    assert len(record.stored().writes) == 3


def test_what_can_not_be_stored_is_told_to_who_waits_for_it(record):
    """Anything may go wrong in a request; nobody is left waiting for the end of time."""
    for operation in ("TransactWriteItems", "BatchWriteItem"):
        record.table.trouble = {operation: UnicodeEncodeError("utf-8", "x", 0, 1, "no")}
        if operation == "TransactWriteItems":
            with pytest.raises(UnicodeEncodeError):
                record.deliver(FakePortal({COMMENT: 7}), calls(COMMENT, fields={}))
        else:
            assert record.deliver(FakePortal({COMMENT: 7}), calls(COMMENT, fields={})) == 7
            assert record.logged[-1][0] == "not recorded"
