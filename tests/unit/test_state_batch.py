"""relay.state_batch: writes of the same moment share requests, and each learns its own end."""

import asyncio
from collections import Counter

import pytest

from relay.errors import ConditionFailedError
from relay.state_batch import StateBatch
from relay.state_requests import StateRequests
from relay.state_writes import Check, Condition, Put
from tests.dynamo import Dynamo


def put(parts):
    """Return the row that names all parts of a write."""
    return Put({"pk": {"S": parts[0][:1]}, "parts": {"SS": list(parts)}})


def new(parts):
    """Return the same row under the condition that there is none."""
    return Put(put(parts).item, Condition("attribute_not_exists(pk)"))


def refuse(parts):
    """Refuse to make a request."""
    raise LookupError(parts)


def write(table, *writes):
    """Let all writes begin at once; return how each ended."""

    async def run():
        batch = StateBatch(StateRequests(table, "State"))
        jobs = (batch.write(*one) for one in writes)
        return await asyncio.gather(*jobs, return_exceptions=True)

    return asyncio.run(run())


def test_a_hundred_writes_leave_in_four_requests():
    """Rows without a condition leave 25 in a request."""
    table = Dynamo()
    writes = [(f"{number}", chr(1000 + number), put) for number in range(100)]
    assert write(table, *writes) == [None] * 100
    assert table.asked == ["BatchWriteItem"] * 4
    assert len(table.rows) == 100


def test_rows_with_a_condition_are_judged_one_by_one():
    """A refused condition is the error of its own write only."""
    table = Dynamo()
    table.rows["a"] = {"pk": {"S": "a"}}
    refused, fine, plain = write(table, ("1", "a", new), ("2", "b", new), ("3", "c", put))
    assert isinstance(refused, ConditionFailedError)
    assert (refused.item, fine, plain) == ({"pk": {"S": "a"}}, None, None)
    assert sorted(table.rows) == ["a", "b", "c"]


def test_a_row_with_conditions_on_other_rows_is_a_transaction_of_its_own():
    """Whatever is refused of forty such rows, and of rows with a condition on themselves only."""
    table = Dynamo()
    is_absent = Condition("attribute_not_exists(pk)")

    def checked(parts):
        (number,) = parts
        checks = [Check(f"{number} {side}", is_absent) for side in "ab"]
        return Put({"pk": {"S": f"{number}"}}, is_absent, checks)

    table.rows["7 b"] = {"pk": {"S": "7 b"}}
    plain = ("plain", "p", new)
    *errors, fine = write(table, *((f"{number}", number, checked) for number in range(40)), plain)
    assert fine is None
    assert [number for number, error in enumerate(errors) if error] == [7]
    assert errors[7].item == {"pk": {"S": "7 b"}}
    assert len(table.rows) == 41
    assert Counter(table.asked) == {"TransactWriteItems": 40, "PutItem": 1}


def test_writes_of_one_name_become_one():
    """The request has the parts of all, and all of them wait for it."""
    table = Dynamo()
    assert write(table, ("n", "a1", put), ("n", "a2", put), ("n", "a3", put)) == [None] * 3
    assert table.asked == ["BatchWriteItem"]
    assert table.rows["a"]["parts"] == {"SS": ["a1", "a2", "a3"]}


def test_a_request_that_can_not_be_made_harms_no_other():
    """The error of `build` is raised where that write waits."""
    table = Dynamo()
    refused, fine = write(table, ("1", "a", refuse), ("2", "b", put))
    assert isinstance(refused, LookupError)
    assert fine is None


@pytest.mark.parametrize("build", [put, new])
def test_an_unexpected_error_reaches_all_who_wait(build):
    """Whatever goes wrong in a request, nobody is left waiting."""
    table = Dynamo()
    error = UnicodeEncodeError("utf-8", "x", 0, 1, "no")
    table.trouble = {"BatchWriteItem": error, "PutItem": error}
    assert write(table, ("1", "a", build), ("2", "b", build)) == [error, error]


def test_a_cancelled_caller_keeps_no_other_from_being_stored():
    """The write goes on without the caller that was cancelled."""
    table = Dynamo()

    async def run():
        batch = StateBatch(StateRequests(table, "State"))
        tasks = [asyncio.create_task(batch.write(name, name, put)) for name in "ab"]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    cancelled, fine = asyncio.run(run())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert fine is None
    assert sorted(table.rows) == ["a", "b"]
