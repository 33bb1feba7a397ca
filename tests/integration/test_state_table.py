"""relay.state_table against a DynamoDB that is not ours: what it refuses, returns and counts."""

import asyncio
import time

import boto3
import pytest
from moto import mock_aws

from relay.echo.ledger import BUDGET, NOTE_BYTES, ROW_BYTES, Note, written
from relay.errors import ConditionFailedError, RowError, TransientError
from relay.portal.fake import FakePortal
from relay.reaction.checkpoint import Row
from relay.reaction.portal import OncePortal
from relay.reaction.run import Run
from relay.state_table import StateTable

KEY = "done#follow_up#main.deal.5.b.7"


@pytest.fixture
def client():
    """Return a client of a mocked DynamoDB with the State table in it."""
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="State",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


def run(client, token, row=None):
    """Run a reaction of two writes; returns the portal."""
    portal = FakePortal({"crm.timeline.comment.add": 7, "tasks.task.add": {"task": {"id": "1"}}})

    async def react():
        state = StateTable(client, "State")
        stored = row or Row.of(KEY, state.load([KEY]).get(KEY), time.time())
        its = Run(stored, token, time.time() + 60, state, lambda *_, **__: None)
        once = OncePortal(portal, its)
        fields = {"TITLE": "x", "RESPONSIBLE_ID": 1}
        try:
            await once.call("tasks.task.add", fields=fields)
            await once.call("crm.timeline.comment.add", fields={"COMMENT": "x"})
        finally:
            await its.finish()

    asyncio.run(react())
    return portal


def test_a_record_is_taken_stored_and_found(client):
    """A second run sends nothing, whether it has read the row or is refused because of it."""
    assert len(run(client, "a").calls) == 2
    assert run(client, "b").calls == []
    assert run(client, "c", Row(KEY)).calls == []


def test_a_lease_that_somebody_else_has_taken_is_heeded(client):
    """A row that was taken after it was read is refused, and what is stored is returned."""
    taken = Row(KEY, owner="other", until=time.time() + 60)
    client.put_item(TableName="State", Item=taken.to_item(time.time()))
    with pytest.raises(TransientError, match="IN_PROGRESS"):
        run(client, "a", Row(KEY))


def test_notes_are_counted_up_to_the_budget(client):
    """Those that are refused do not keep the others of their transaction from being written.

    A repeat of a write has room where nothing else has; what is taken back makes room.
    """
    now = time.time()
    its = [written("crm.deal.update", {"id": n, "fields": {"TITLE": "x"}}) for n in (5, 6)]

    async def write():
        state = StateTable(client, "State")
        for number in range(BUDGET):
            await state.write(Note("main", its[0], "tidy", f"t.{number}", 1, now))
        notes = [Note("main", each, "tidy", "t.last", 1, now) for each in its]
        outcomes = await asyncio.gather(*map(state.write, notes), return_exceptions=True)
        repeat = Note("main", its[0], "tidy", "t.again", 1, now, "t.7")
        await state.write(repeat)
        await state.write(repeat.unsent())
        await state.write(Note("main", its[0], "tidy", "t.new", 1, now))
        return notes, outcomes

    notes, (refused, fine) = asyncio.run(write())
    assert isinstance(refused, ConditionFailedError)
    assert notes[0].is_over(refused.item)
    assert not notes[0].is_too_large(refused.item)
    assert fine is None
    rows = client.scan(TableName="State")["Items"]
    assert sorted(len(row["sent tidy"]["SS"]) for row in rows) == [1, BUDGET]
    texts = [{name: row[name]["S"] for name in row if name.startswith("note ")} for row in rows]
    assert sorted(map(len, texts)) == [1, BUDGET + 1]
    sizes = [sum(len(name) + len(text) for name, text in each.items()) for each in texts]
    assert [int(row["bytes"]["N"]) for row in rows] == sizes


def test_the_budget_of_the_version_before_is_left_alone(client):
    """A row with a number of writes in it, as once stored, takes the marks beside it."""
    now = time.time()
    note = Note("main", written("crm.deal.update", {"id": 5, "fields": {}}), "tidy", "t", 1, now)
    key = note.make("State")["Update"]["Key"]
    client.put_item(TableName="State", Item=key | {"count tidy": {"N": "30"}})
    asyncio.run(StateTable(client, "State").write(note))
    asyncio.run(StateTable(client, "State").write(note.unsent()))
    with pytest.raises(ConditionFailedError):
        asyncio.run(StateTable(client, "State").write(note.unsent()))
    assert client.get_item(TableName="State", Key=key)["Item"]["count tidy"] == {"N": "30"}


def test_notes_have_room_up_to_a_limit(client):
    """The condition of both, the budget and the room, is one that DynamoDB understands."""
    now = time.time()
    fields = {f"ufCrm{number:03}": "x" * 60 for number in range(90)}

    async def write():
        state = StateTable(client, "State")
        full = 0
        for number in range(BUDGET):
            for reaction in ("a", "b"):
                its = written("crm.deal.update", {"id": 5, "fields": fields})
                note = Note("main", its, reaction, f"{reaction}.{number}", 1, now)
                try:
                    await state.write(note)
                except ConditionFailedError as refusal:
                    full += note.is_too_large(refusal.item)
                    await state.write(note.bare())
        return full

    assert 0 < asyncio.run(write()) < 2 * BUDGET
    (row,) = client.scan(TableName="State")["Items"]
    assert ROW_BYTES - NOTE_BYTES < int(row["bytes"]["N"]) <= ROW_BYTES
    assert len(row["sent a"]["SS"]) == len(row["sent b"]["SS"]) == BUDGET


@pytest.mark.parametrize("conditional", [False, True])
def test_a_row_that_is_too_large_is_refused_for_good(client, conditional):
    """Beside others, and alone; they are stored."""

    class Text:
        def __init__(self, name, size):
            self.name, self.size, self.conditional = name, size, conditional

        def make(self, table):
            item = {"pk": {"S": self.name}, "text": {"S": "x" * self.size}}
            put = {"TableName": table, "ConditionExpression": "attribute_not_exists(pk)"}
            return {"Put": put | {"Item": item}} if conditional else item

    async def write(*rows):
        state = StateTable(client, "State")
        return await asyncio.gather(*map(state.write, rows), return_exceptions=True)

    large = Text("large", 420_000)
    outcomes = asyncio.run(write(Text("a", 1), large, Text("b", 1)))
    assert [type(its) for its in outcomes] == [type(None), RowError, type(None)]
    assert isinstance(asyncio.run(write(large))[0], RowError)
    assert {row["pk"]["S"] for row in client.scan(TableName="State")["Items"]} == {"a", "b"}
