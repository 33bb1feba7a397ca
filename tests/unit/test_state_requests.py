"""relay.state_requests: what DynamoDB refuses, and for which row."""

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from relay import state_requests
from relay.errors import ConditionFailedError, RowError, StateError
from relay.state_requests import StateRequests
from relay.state_writes import Check, Condition, Put, Update
from tests.dynamo import Dynamo
from tests.runs import in_trouble

NEW = Condition("attribute_not_exists(pk)")
TOO_LARGE = "Item size has exceeded the maximum allowed size"


def put(name, condition=None):
    """Return a row to be stored."""
    return Put({"pk": {"S": name}}, condition)


@pytest.fixture
def table(monkeypatch):
    """Return a table whose requests are repeated without a pause."""
    monkeypatch.setattr(state_requests, "_pause", lambda _attempt: None)
    return Dynamo()


@pytest.fixture
def requests(table):
    """Return the requests to a table."""
    return StateRequests(table, "State")


@pytest.mark.parametrize("condition", [None, NEW])
def test_one_row_that_is_too_large_keeps_no_other_from_being_stored(table, requests, condition):
    """DynamoDB may refuse a whole request for one row; only that row gets RowError."""
    operation = "put_item" if condition else "batch_write_item"
    real = getattr(table, operation)

    def limited(**request):
        if "too large" in str(request):
            error = {"Error": {"Code": "ValidationException", "Message": TOO_LARGE}}
            raise ClientError(error, operation)
        return real(**request)

    setattr(table, operation, limited)
    rows = [put("too large" if number == 7 else f"row {number}", condition) for number in range(20)]
    errors = (requests.write_each if condition else requests.put)(rows)
    assert [at for at, error in enumerate(errors) if error] == [7]
    assert isinstance(errors[7], RowError)
    assert len(table.rows) == 19


def test_a_refused_condition_comes_with_the_stored_row(table, requests):
    """Each write is judged by itself; the refused one tells what is stored."""
    table.rows["a"] = {"pk": {"S": "a"}, "owner": {"S": "me"}}
    change = Condition("#owner = :other", {"#owner": "owner"}, {":other": {"S": "you"}})
    writes = [put("a", NEW), put("b", NEW), Update("a", "SET #owner = :other", change)]
    errors = requests.write_each(writes)
    assert [error and error.item for error in errors] == [table.rows["a"], None, table.rows["a"]]
    assert isinstance(errors[0], ConditionFailedError)
    assert table.rows.keys() == {"a", "b"}


def test_a_throttled_table_is_asked_a_few_times(table, requests):
    """Rows that DynamoDB did not process are sent again; after five tries that is StateError."""
    for times, full in ((4, False), (5, True)):
        table.unprocessed = times
        if full:
            with pytest.raises(StateError, match="throttled"):
                requests.load(["a"])
        else:
            assert requests.load(["a"]) == {}
        table.unprocessed = times
        assert [isinstance(error, StateError) for error in requests.put([put("a")])] == [full]


def test_a_missing_right_is_named(table, requests):
    """StateError has the text of DynamoDB, with the operation that is not allowed."""
    with in_trouble(table, "BatchGetItem"), pytest.raises(StateError, match="BatchGetItem"):
        requests.load(["a"])
    with in_trouble(table, "PutItem"):
        (error,) = requests.write_each([put("a", NEW)])
    assert isinstance(error, StateError)
    assert "not authorized to perform PutItem" in str(error)


def test_a_table_that_does_not_answer_costs_the_time_of_a_few_writes(table, requests):
    """Two hundred writes of six seconds each would outlast the function."""
    table.trouble["PutItem"] = ReadTimeoutError(endpoint_url="dynamodb")
    errors = requests.write_each([put(f"row {number}", NEW) for number in range(200)])
    assert {type(error) for error in errors} == {StateError}
    assert len(table.asked) <= state_requests.THREADS


@pytest.mark.parametrize(
    ("reason", "times", "expected"),
    [
        ({"Code": "TransactionConflict"}, 1, None),
        ({"Code": "TransactionConflict"}, 99, StateError),
        ({"Code": "ValidationError", "Message": TOO_LARGE}, 1, RowError),
        ({"Code": "ValidationError", "Message": "Type mismatch for key pk"}, 1, StateError),
    ],
)
def test_a_canceled_transaction_is_judged_by_its_reasons(table, requests, reason, times, expected):
    """A conflict is tried again; a row that is too large is refused for good."""
    real, left = table.transact_write_items, [times]

    def canceled(TransactItems):  # noqa: N803  boto3's name
        if left[0]:
            left[0] -= 1
            reasons = [reason for _ in TransactItems]
            error = {"Error": {"Code": "x"}, "CancellationReasons": reasons}
            raise table.exceptions.TransactionCanceledException(error, "TransactWriteItems")
        real(TransactItems)

    table.transact_write_items = canceled
    row = Put({"pk": {"S": "a"}}, NEW, [Check("b", NEW)])
    (error,) = requests.write_each([row])
    assert type(error) is (expected or type(None))
    assert bool(table.rows) is (expected is None)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (TOO_LARGE, RowError),
        ("Item size to update has exceeded the maximum allowed size", RowError),
        ("The provided key element does not match the schema", StateError),
    ],
)
def test_only_the_size_of_a_row_is_for_good(table, requests, message, expected):
    """An operator can put a table with another key right, so its records wait."""
    error = {"Error": {"Code": "ValidationException", "Message": message}}
    table.trouble["PutItem"] = ClientError(error, "PutItem")
    assert [type(one) for one in requests.write_each([put("a", NEW)])] == [expected]


@pytest.mark.parametrize("operation", ["batch_write_item", "put_item", "update_item"])
@pytest.mark.parametrize("conflicts", [1, 4, 5])
def test_a_request_beside_a_transaction_is_repeated(table, requests, operation, conflicts):
    """A row that a transaction of another function looks at is stored a moment later."""
    real, left = getattr(table, operation), list(range(conflicts))

    def beside(**request):
        if left:
            left.pop()
            raise ClientError({"Error": {"Code": "TransactionConflictException"}}, operation)
        return real(**request)

    setattr(table, operation, beside)
    table.rows["a"] = {"pk": {"S": "a"}}
    there = Condition("attribute_exists(#pk)", {"#pk": "pk"}, {":x": {"S": "x"}})
    writes = {
        "batch_write_item": lambda: requests.put([put("b")]),
        "put_item": lambda: requests.write_each([put("b", NEW)]),
        "update_item": lambda: requests.write_each([Update("a", "SET #pk = :x", there)]),
    }
    (error,) = writes[operation]()
    assert isinstance(error, StateError if conflicts == 5 else type(None))
