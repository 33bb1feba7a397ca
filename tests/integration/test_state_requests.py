"""Every request of the State table against moto, and the same against the table of the unit tests.

So the fake of tests/dynamo.py refuses, returns and counts as a DynamoDB that is not ours.
"""

import asyncio
import time
from dataclasses import replace

import boto3
import pytest
from moto import mock_aws

from relay.echo.ledger import BUDGET, ROW_BYTES, Creation, add_creations, add_notes, take_back_notes
from relay.echo.note_text import NOTE_BYTES
from relay.errors import ConditionFailedError, RowError, TransientError
from relay.portal.fake import FakePortal
from relay.reaction.checkpoint import Checkpoint
from relay.reaction.equal_calls import EqualCalls
from relay.reaction.lease import Lease
from relay.reaction.run import Operator, Run
from relay.state_requests import StateRequests
from relay.state_writes import Condition, Put
from tests.dynamo import Dynamo
from tests.ledger import store, update
from tests.runs import KEY, batch_of, once


class Moto:
    """A mocked DynamoDB with the State table in it, and its rows."""

    def __init__(self):
        self._client = boto3.client("dynamodb")
        self._client.create_table(
            TableName="State",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def __getattr__(self, name):
        return getattr(self._client, name)

    @property
    def rows(self):
        """Return all rows by their keys."""
        items = self._client.scan(TableName="State")["Items"]
        return {item["pk"]["S"]: item for item in items}


@pytest.fixture(params=["moto", "fake"])
def table(request):
    """Return moto's table, then the fake."""
    if request.param == "fake":
        yield Dynamo()
        return
    with mock_aws():
        yield Moto()


def run(table, token, checkpoint=None):
    """Run a reaction of two writes; return the portal."""
    portal = FakePortal({"crm.timeline.comment.add": 7, "tasks.task.add": {"task": {"id": "1"}}})

    async def react():
        row = StateRequests(table, "State").load([KEY]).get(KEY)
        stored = checkpoint or Checkpoint.of(KEY, row, time.time())
        lease = Lease(stored, token, time.time() + 60, batch_of(table), EqualCalls())
        run = Run(lease, lambda *_, **__: None, Operator())
        given = once(portal, run)
        try:
            await given.call("tasks.task.add", fields={"TITLE": "x", "RESPONSIBLE_ID": 1})
            await given.call("crm.timeline.comment.add", fields={"COMMENT": "x"})
        finally:
            await run.finish(failed=False)

    asyncio.run(react())
    return portal


def test_a_checkpoint_is_stored_under_a_lease_and_found(table):
    """A second run sends nothing, whether it has read the row or is refused because of it."""
    assert len(run(table, "a").calls) == 2
    assert run(table, "b").calls == []
    assert run(table, "c", Checkpoint(KEY)).calls == []


def test_a_lease_that_another_run_has_taken_is_heeded(table):
    """A row that was taken after it was read is refused, and the stored row is returned."""
    taken = Checkpoint(KEY, owner="other", until=time.time() + 60)
    assert StateRequests(table, "State").put([Put(taken.to_item(time.time()))]) == [None]
    with pytest.raises(TransientError, match="IN_PROGRESS"):
        run(table, "a", Checkpoint(KEY))


@pytest.mark.parametrize(
    ("gap", "is_equal"),
    [(0, True), (9_999, True), (-9_999, True), (10_000, False), (-10_000, False)],
)
@pytest.mark.parametrize("side", [0, 1])
def test_a_checkpoint_beside_an_equal_calls_is_refused(table, gap, is_equal, side):
    """The stored row is that of the call in the window before or after, less than 10 s away."""
    around, at = ("done#r#call.1", "done#r#call.3"), 1_766_047_125_000
    other = Checkpoint(around[side], owner="other", called_at=at + gap).to_item(time.time())
    row = Checkpoint("done#r#call.2", owner="this", called_at=at).to_item(time.time())
    checks = EqualCalls(around, at).checks()
    requests = StateRequests(table, "State")
    assert requests.put([Put(other)]) == [None]
    (error,) = requests.write_each([Put(row, Condition("attribute_not_exists(pk)"), checks)])
    assert (error is not None) == is_equal
    if is_equal:
        assert isinstance(error, ConditionFailedError)
        assert error.item["pk"] == other["pk"]
    assert ("done#r#call.2" in table.rows) != is_equal


def test_writes_are_counted_up_to_the_budget(table):
    """A repeat has room where no other write has, and a write that is taken back makes room."""
    for number in range(BUDGET):
        assert store(table, add_notes, update({"title": "x"}, number=number)) is None
    last = [update({"title": "x"}, item_id, number="last") for item_id in (5, 6)]
    writes = [add_notes([note]) for note in last]
    refused, fine = StateRequests(table, "State").write_each(writes)
    assert isinstance(refused, ConditionFailedError)
    assert last[0].is_over_budget(refused.item)
    assert not last[0].is_too_large(refused.item)
    assert fine is None
    repeat = update({"title": "x"}, number="again", write_id="tidy 7")
    assert store(table, add_notes, repeat) is None
    assert store(table, take_back_notes, repeat) is None
    assert store(table, add_notes, update({"title": "x"}, number="new")) is None
    rows = table.rows.values()
    assert sorted(len(row["sent tidy"]["SS"]) for row in rows) == [1, BUDGET]
    texts = [{name: row[name]["S"] for name in row if name.startswith("note ")} for row in rows]
    assert sorted(map(len, texts)) == [1, BUDGET + 1]
    sizes = [sum(len(name) + len(text) for name, text in each.items()) for each in texts]
    assert [int(row["bytes"]["N"]) for row in rows] == sizes


def test_the_number_that_older_versions_stored_is_left_alone(table):
    """A row with a number of writes in it takes the ids of writes beside it."""
    note = update({})
    older = {"pk": {"S": note.key}, "count tidy": {"N": "30"}}
    StateRequests(table, "State").put([Put(older)])
    assert store(table, add_notes, note) is None
    assert store(table, take_back_notes, note) is None
    assert isinstance(store(table, take_back_notes, note), ConditionFailedError)
    assert table.rows[note.key]["count tidy"] == {"N": "30"}


def test_new_items_are_added_to_the_row_of_their_neighbours(table):
    """An update without a condition keeps what is in the row."""
    for numbers in (("33", "35"), ("34", "34")):
        notes = [Creation.of("main", "task", number, 0.0, by="tidy") for number in numbers]
        assert store(table, add_creations, *notes) is None
    (row,) = table.rows.values()
    assert row.keys() == {"pk", "expires", "33", "34", "35"}
    assert row["34"] == {"S": "tidy"}


def test_notes_have_room_up_to_a_limit(table):
    """DynamoDB understands the condition of both, the budget and the room."""
    fields = {f"ufCrm{number:03}": "x" * 60 for number in range(90)}
    full = 0
    for number in range(BUDGET):
        for reaction in ("a", "b"):
            note = update(fields, number=number, reaction=reaction)
            refusal = store(table, add_notes, note)
            if refusal:
                full += note.is_too_large(refusal.item)
                assert store(table, add_notes, replace(note, text="")) is None
    assert 0 < full < 2 * BUDGET
    (row,) = table.rows.values()
    assert ROW_BYTES - NOTE_BYTES < int(row["bytes"]["N"]) <= ROW_BYTES
    assert len(row["sent a"]["SS"]) == len(row["sent b"]["SS"]) == BUDGET


@pytest.mark.parametrize("condition", [None, Condition("attribute_not_exists(pk)")])
def test_a_row_that_is_too_large_is_refused_for_good(condition):
    """One row over 400 KB gets RowError, beside others or alone; the others are stored."""

    def put(name, size):
        return Put({"pk": {"S": name}, "text": {"S": "x" * size}}, condition)

    with mock_aws():
        table = Moto()
        requests = StateRequests(table, "State")
        send = requests.write_each if condition else requests.put
        large = put("large", 420_000)
        errors = send([put("a", 1), large, put("b", 1)])
        assert [type(error) for error in errors] == [type(None), RowError, type(None)]
        assert isinstance(send([large])[0], RowError)
        assert table.rows.keys() == {"a", "b"}
