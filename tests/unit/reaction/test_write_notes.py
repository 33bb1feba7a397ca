"""relay.reaction.write_notes: what is noted before calls, and what only answers prove."""

import asyncio
import json
from collections import Counter
from itertools import count

import pytest
from botocore.exceptions import EndpointConnectionError

from relay.change import Change
from relay.echo.calls import BatchResult, Call
from relay.echo.ledger import BUDGET, ROW_BYTES
from relay.echo.row_writes import written_rows
from relay.errors import LoopError
from relay.portal import Portal
from relay.reaction import reaction
from relay.reaction.acting_user import ActingUser
from relay.reaction.checkpoint import Write
from relay.reaction.newest import Newest
from relay.reaction.write_notes import Author, Ledger, WriteNotes
from relay.state_table import newest_key
from tests.batches import handle
from tests.dynamo import Dynamo
from tests.runs import batch_of
from tests.samples import change_of

USER_ID = 7
OWN = newest_key("tidy", "main", "deal/5")
OWNER = {"ownerType": "D", "ownerId": 5}
ROW = OWNER | {"id": 3, "productName": "Tea", "price": 5, "quantity": 1}


class Run:
    """A run that notes its writes into a table."""

    def __init__(self, reaction="tidy"):
        self.table, self.counts, self.logged = Dynamo(), Counter(), []
        self.reaction = reaction
        self.numbers = count()
        self.write = Write("", 0, "digest", 0.0)
        ledger = Ledger(batch_of(self.table), reaction, self.counts)
        self.notes = WriteNotes(
            ledger, Author("main", "main.deal.5.b.2", "t", ActingUser(USER_ID)), self.log
        )

    def log(self, message, **fields):
        """Keep a log line."""
        self.logged.append((message, fields))

    def before(self, call):
        """Note before a call."""
        self.write = Write(call.method, next(self.numbers), "digest", 0.0)
        asyncio.run(self.notes.before(self.write, call))

    def after(self, call, result):
        """Note after a call."""
        self.write.method = call.method
        asyncio.run(self.notes.after(self.write, call, result))

    @property
    def counted(self):
        """Return how often each item was written to."""
        name = f"sent {self.reaction}"
        rows = self.table.rows.items()
        return {key.split("#")[2]: len(row[name]["SS"]) for key, row in rows if name in row}

    @property
    def keys(self):
        """Return the keys of what was made or deleted."""
        return sorted(key for key in self.table.rows if not key.startswith("echo#"))


@pytest.fixture
def run():
    """Return a run."""
    return Run()


DELETE = Call("crm.item.delete", {"entityTypeId": 2, "id": 5})


def test_a_deletion_is_noted_when_it_has_run(run):
    """A refused deletion is counted, but leaves no row that would explain a person's deletion."""
    run.before(DELETE)
    assert run.counted == {"deal/5": 1}
    assert run.keys == []
    assert not any("note" in name for row in run.table.rows.values() for name in row)
    run.after(DELETE, [])
    assert run.keys == ["gone#main#deal/5"]
    assert run.counted == {"deal/5": 1}


@pytest.mark.parametrize(
    ("method", "params", "result", "key"),
    [
        ("crm.item.add", {"entityTypeId": 7}, {"item": {"id": 9}}, "made#main#quote/0+"),
        ("crm.item.add", {"entityTypeId": 128}, {"item": {"id": 9}}, "made#main#dynamic_128/0+"),
        ("crm.deal.add", {}, 9, "made#main#deal/0+"),
        ("tasks.task.add", {}, {"task": {"id": "9"}}, "made#main#task/0+"),
    ],
)
def test_a_create_without_a_stamp_is_noted_by_its_id(run, method, params, result, key):
    """A create without a stamp is noted by the id in its answer, and has no budget."""
    call = Call(method, {"fields": {"TITLE": "A"}} | params)
    run.before(call)
    assert run.table.rows == {}
    run.after(call, result)
    assert run.keys == [key]
    assert run.table.rows[key].keys() == {"pk", "expires", "9"}
    assert run.table.rows[key]["9"] == {"S": "tidy"}


@pytest.mark.parametrize("result", [None, {}, {"item": None}, {"item": {"id": "x"}}, [], True])
def test_an_answer_without_an_id_notes_nothing(run, result):
    """An answer without an id fails no write and notes nothing."""
    run.after(Call("crm.item.add", {"entityTypeId": 7, "fields": {}}), result)
    assert run.keys == []
    assert run.logged == []


def test_a_stamp_is_noted_before_the_call(run):
    """A stamp is noted with kind and author before its create is sent."""
    call = Call("crm.lead.add", {"fields": {"TITLE": "A", "ORIGIN_ID": "relay-1"}})
    run.before(call)
    run.after(call, 9)
    assert run.keys == ["made#main#relay-1"]
    row = run.table.rows["made#main#relay-1"]
    assert (row["entity"], row["user"]) == ({"S": "lead"}, {"S": "7"})


def results(**answers):
    """Return what is kept of a batch's answer."""
    return BatchResult(answers, {})


def test_reads_of_a_batch_are_no_writes(run):
    """Reads and references of a batch use up no budget."""
    call = Call.batch(
        {
            "task": ("tasks.task.add", {"fields": {"TITLE": "Call"}}),
            "read": ("tasks.task.get", {"taskId": "$result[task][task][id]"}),
            "known": ("tasks.task.get", {"taskId": 5}),
        },
        halt=False,
    )
    for number in range(BUDGET + 10):
        run.before(call)
        task = {"task": {"id": str(number)}}
        run.after(call, results(task=task, read=task, known=task))
    assert run.counted == {}
    made = [name for row in run.table.rows.values() for name in row if name.isdecimal()]
    assert sorted(map(int, made)) == list(range(BUDGET + 10))
    assert run.keys == ["made#main#task/0+", "made#main#task/32+"]


def test_a_reference_is_noted_when_its_batch_has_run(run):
    """A write by reference is noted and counted once the batch has shown which item it meant."""
    call = Call.batch(
        {
            "new": ("crm.item.add", {"entityTypeId": 2, "fields": {"title": "A"}}),
            "mine": (
                "crm.item.update",
                {"entityTypeId": 2, "id": "$result[new][item][id]", "fields": {}},
            ),
            "found": ("crm.lead.update", {"id": "$result[list][0][ID]", "fields": {"TITLE": "A"}}),
            "inside": ("crm.lead.update", {"id": "0$result[list][0][ID]", "fields": {}}),
            "nothing": ("crm.lead.update", {"id": "$result[list][7][ID]", "fields": {}}),
            "beyond": ("crm.lead.update", {"id": "$result[new][item][id][more]", "fields": {}}),
            "gone": ("crm.lead.delete", {"id": "$result[list][1][ID]"}),
            "plain": ("crm.lead.update", {"id": 70, "fields": {"TITLE": ["$result[list][0][ID]"]}}),
            "failed": ("crm.lead.delete", {"id": 8}),
            "notice": ("im.notify.system.add", {"USER_ID": "$result[list][0][ID]"}),
        },
        halt=False,
    )
    run.before(call)
    assert run.counted == {"lead/70": 1, "lead/8": 1}
    done = dict.fromkeys(call.commands.keys() - {"failed"}, True)
    answers = done | {"new": {"item": {"id": 9}}, "list": [{"ID": "3"}, {"ID": "4"}]}
    run.after(call, results(**answers))
    written = ("lead/70", "lead/8", "deal/9", "lead/3", "lead/4", "lead/9")
    assert run.counted == dict.fromkeys(written, 1)
    assert run.keys == ["gone#main#lead/4", "made#main#deal/0+"]
    assert run.logged == []


@pytest.mark.parametrize(
    ("method", "params", "result"),
    [
        ("set", OWNER | {"productRows": [{"price": 5}]}, {"productRows": [ROW]}),
        ("add", {"fields": OWNER | {"price": 5}}, {"productRow": ROW}),
        ("update", {"id": 3, "fields": {"price": 5}}, {"productRow": ROW}),
    ],
)
@pytest.mark.parametrize("own", [None, Newest(OWN)])
def test_product_rows_are_noted_as_the_answer_has_them(run, method, params, result, own):
    """A write of rows counts once, and its note has the rows' ids and marks of their content."""
    run.notes.own = own
    call = Call(f"crm.item.productrow.{method}", params)
    run.before(call)
    run.after(call, result)
    assert run.counted == {"deal/5": 1}
    assert own is None or own.writes == 0
    texts = [row[n]["S"] for row in run.table.rows.values() for n in row if n.startswith("note ")]
    (note,) = map(json.loads, texts)
    assert note["user"] == USER_ID
    (whole, marks) = note["fields"]["productrows"]
    assert (whole, list(marks)) == (method == "set", ["3"])


def test_rows_of_another_item_leave_the_own_items_count(run):
    """Rows that a batch writes to another item take no comment of the own item out of its count."""
    run.notes.own = Newest(OWN)
    comment = {"ENTITY_TYPE": "deal", "ENTITY_ID": 5, "COMMENT": "x"}
    other = OWNER | {"ownerId": 6}
    call = Call.batch(
        {
            "comment": ("crm.timeline.comment.add", {"fields": comment}),
            "rows": ("crm.item.productrow.set", other | {"productRows": []}),
        },
        halt=False,
    )
    run.before(call)
    run.after(call, results(comment=7, rows={"productRows": [ROW | other]}))
    assert run.notes.own.writes == 1


def test_the_budget_ends_a_loop(run):
    """LoopError names the reaction, the item and the number of writes."""
    for _ in range(BUDGET):
        run.before(update({"title": "a"}))
    with pytest.raises(LoopError, match="tidy has written to deal 5 30 times within an hour"):
        run.before(update({"title": "a"}))
    with pytest.raises(LoopError):
        run.before(update({}))
    assert run.counts["loops"] == 2
    assert run.counted == {"deal/5": BUDGET}


def update(fields):
    """Return an update of a deal."""
    return Call("crm.item.update", {"entityTypeId": 2, "id": 5, "fields": fields})


def test_a_full_row_still_counts_the_write(run):
    """A write to a full row is counted without its fields."""
    run.before(update({"title": "a"}))
    (row,) = run.table.rows.values()
    row["bytes"] = {"N": str(ROW_BYTES)}
    notes = len(row)
    run.before(update({"title": "b"}))
    (row,) = run.table.rows.values()
    assert len(row) == notes
    assert run.counted == {"deal/5": 2}


def test_a_failure_to_note_after_a_write_is_logged(run):
    """A write that can't be noted after it has run is only logged."""
    trouble = EndpointConnectionError(endpoint_url="https://dynamodb")
    run.table.trouble = {"BatchWriteItem": trouble}
    run.after(DELETE, [])
    ((message, more),) = run.logged
    assert message == "not noted"
    assert more["method"] == "crm.item.delete"


ROWS_SET = "crm.item.productrow.set"


@pytest.mark.parametrize("batched", [False, True])
def test_a_reaction_gets_ids_and_the_ledger_the_rows_that_were_answered(
    portal, monkeypatch, batched
):
    """The note has marks of whole rows, whatever is kept of the answer for a repeat."""
    monkeypatch.setattr("relay.portal.fake._reduced", lambda _method, answer: answer)
    portal.answers[ROWS_SET] = {"productRows": [ROW]}
    got = []

    @reaction
    async def tidy(change: Change, portal: Portal) -> None:
        """Set the rows of the item that changed."""
        params = OWNER | {"ownerId": change.id, "productRows": [{"price": 5}]}
        if batched:
            got.append((await portal.batch({"rows": (ROWS_SET, params)}))["rows"])
        else:
            got.append(await portal.call(ROWS_SET, **params))

    assert handle(tidy, change_of().to_json()) == []
    assert got == [{"productRows": [{"id": 3}]}]
    rows = portal.sqs.table.rows
    texts = [row[n]["S"] for row in rows.values() for n in row if n.startswith("note ")]
    (note,) = map(json.loads, texts)
    written = written_rows(ROWS_SET, OWNER, {"productRows": [ROW]})
    assert note["fields"] == {"productrows": list(written.fields["productrows"])}
    assert "Tea" not in repr(rows)
