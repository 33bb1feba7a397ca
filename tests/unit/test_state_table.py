"""relay.state_table: its tables list every kind of rows, and every request to DynamoDB."""

import ast
import re
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from relay import state_table
from relay.errors import ConditionFailedError
from relay.state_table import conditional
from tests.sources import nodes_of

ROOT = Path(__file__).parents[2]
HOME = ROOT / "src" / "relay" / "state_table.py"
REQUESTS = {
    "batch_get_item": "BatchGetItem",
    "batch_write_item": "BatchWriteItem",
    "delete_item": "DeleteItem",
    "get_item": "GetItem",
    "put_item": "PutItem",
    "query": "Query",
    "scan": "Scan",
    "transact_write_items": "TransactWriteItems",
    "update_item": "UpdateItem",
}
KEYS = [
    state_table.checkpoint_key("r", "i"),
    state_table.newest_key("r", "p", "deal/1"),
    state_table.ledger_key("p", "deal/1", 0.0),
    state_table.stamp_key("p", "relay-1"),
    state_table.created_ids_key("p", "deal", 1),
    state_table.gone_key("p", "deal/1"),
    state_table.slots_key("p"),
    state_table.sweep_key("p"),
    state_table.schema_key("p"),
    state_table.events_key("p"),
    state_table.brake_key("p"),
]
KINDS = {key.split("#")[0] for key in KEYS}
ROWS = [row.split(" | ") for row in (state_table.__doc__ or "").splitlines() if row[:2] == "| "]


def test_the_table_of_rows_lists_every_kind():
    """A row of the documentation for each function that makes a key, and no other."""
    documented = {match[1] for row in ROWS if (match := re.match(r"\| `(\w+)#<", row[0]))}
    assert documented == KINDS
    makers = [name for name in vars(state_table) if name.endswith("_key")]
    assert len(makers) == len(KEYS)


def test_no_other_module_makes_a_key():
    """Whoever looks for the rows of a kind finds all of them through its one function."""
    start = re.compile(rf"({'|'.join(KINDS)})#")
    files = [
        file for name in ("src", "ops", "local", "bench") for file in ROOT.glob(f"{name}/**/*.py")
    ]
    elsewhere = [
        f"{file.relative_to(ROOT)}: {node.value}"
        for file in files
        if file != HOME and start.search(file.read_text("utf-8"))
        for node in nodes_of(file)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if start.match(node.value)
    ]
    assert not elsewhere


def test_the_table_of_requests_lists_every_request():
    """A row of the documentation for each module and operation, and no other."""
    source = ROOT / "src" / "relay"
    made = {
        (".".join(file.relative_to(source).with_suffix("").parts), REQUESTS[node.attr])
        for file in source.rglob("*.py")
        for node in nodes_of(file)
        if isinstance(node, ast.Attribute)
        if node.attr in REQUESTS and ast.unparse(node.value).endswith("client")
    }
    documented = {
        (row[0].removeprefix("| "), row[1]) for row in ROWS if row[1] in REQUESTS.values()
    }
    assert documented == made


def refused(code, **more):
    """Return DynamoDB's error."""
    return ClientError({"Error": {"Code": code}} | more, "UpdateItem")


def test_a_refused_condition_is_one_error_everywhere():
    """The error has the stored row where the request asks for it; other errors stay."""
    row = {"pk": {"S": "a"}}
    with pytest.raises(ConditionFailedError) as failed, conditional():
        raise refused("ConditionalCheckFailedException", Item=row)
    assert failed.value.item == row
    with pytest.raises(ConditionFailedError) as failed, conditional():
        raise refused("ConditionalCheckFailedException")
    assert failed.value.item is None
    with pytest.raises(ClientError), conditional():
        raise refused("ThrottlingException")
