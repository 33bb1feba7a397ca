"""relay.once, relay.state_table: what one run of a reaction does and does not do again."""

import asyncio
import json
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from relay import state_table
from relay.echo.stamps import stamp_of
from relay.errors import (
    CallError,
    DivergedError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    RowError,
    StateError,
    TransientError,
)
from relay.portal import PortalApi
from relay.portal.fake import FakePortal
from relay.reaction import checkpoint, matching
from relay.reaction.checkpoint import CLOCK_SECONDS, KEEP_SECONDS, Row, Write, digest_of, match
from relay.reaction.lease import Lease
from relay.reaction.lookup import find
from relay.reaction.portal import OncePortal
from relay.reaction.run import Run
from relay.state_table import StateTable
from tests.dynamo import Dynamo
from tests.plain import plain

KEY = "done#follow_up#main.deal.5.b.7"
COMMENT = "crm.timeline.comment.add"
ADMIN = {"profile": {"ID": "1", "ADMIN": True}}
TASK = {"fields": {"TITLE": "Call", "RESPONSIBLE_ID": 1}}


class Past:
    """A record that is delivered again and again."""

    def __init__(self):
        self.table, self.logged, self.offset = Dynamo(), [], 0
        self.run = None

    def log(self, message, **more):
        """Keep what is logged."""
        self.logged.append((message, more))

    def deliver(self, portal, react, *, redriven=False, decided=0.0):
        """Run a reaction for the record; returns what it returned."""

        async def run():
            row = Row.of(KEY, self.table.rows.get(KEY), time.time())
            until = time.time() + 120
            token = f"token {len(self.table.asked)}"
            how = {"redriven": redriven, "decided": decided}
            self.run = Run(row, token, until, StateTable(self.table, "S"), self.log, **how)
            failed = True
            try:
                result = await react(OncePortal(portal, self.run))
                failed = False
            finally:
                await self.run.finish(failed=failed)
            return result

        return asyncio.run(run())


@pytest.fixture
def past(monkeypatch):
    """Return a record's past, in which time can be turned on and nothing pauses for long."""
    past = Past()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + past.offset)
    monkeypatch.setattr(matching, "QUIET_SECONDS", 0.001)
    monkeypatch.setattr(state_table, "_pause", lambda _attempt: None)
    return past


def calls(method, **params):
    """Return a reaction of one call."""
    return lambda portal: portal.call(method, **params)


def test_a_second_delivery_gets_the_recorded_result(past):
    """Nothing is sent again, and the answer is the one of then."""
    portal = FakePortal({COMMENT: 7})
    assert past.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"})) == 7
    assert past.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"})) == 7
    assert len(portal.calls) == 1
    assert past.run.replayed == 1
    assert not past.logged


def test_other_parameters_get_the_recorded_result_and_a_log_line(past):
    """A title with the time in it must not make a second task: the record wins."""
    portal = FakePortal({COMMENT: 7})
    past.deliver(portal, calls(COMMENT, fields={"COMMENT": "at 9"}))
    assert past.deliver(portal, calls(COMMENT, fields={"COMMENT": "at 10"})) == 7
    assert len(portal.calls) == 1
    assert past.logged[0][0] == "replayed with other parameters"


def test_another_method_is_a_named_error_until_a_person_sends_it_back(past):
    """Code that changed between two deliveries must not do half of each."""
    portal = FakePortal({COMMENT: 7, "im.notify.system.add": 1})
    past.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"}))
    other = calls("im.notify.system.add", USER_ID=1, MESSAGE="x")
    with pytest.raises(DivergedError, match=r"where the first run called crm\.timeline"):
        past.deliver(portal, other)
    assert len(portal.calls) == 1
    assert past.deliver(portal, other, redriven=True) == 1


def test_reads_cost_no_checkpoint(past):
    """They pass through, every time, and nothing is stored."""
    portal = FakePortal({"crm.item.get": {"item": {}}, "crm.item.list": {"items": [{"id": 1}]}})

    async def read(its):
        await its.call("crm.item.get", entityTypeId=2, id=5)
        with its.busy():
            listed = [item async for item in its.list("crm.item.list", entityTypeId=2)]
        await its.batch({"a": ("crm.item.get", {"id": 5})})
        return listed

    assert past.deliver(portal, read) == [{"id": 1}]
    assert past.deliver(portal, read) == [{"id": 1}]
    assert not past.table.asked
    assert len(portal.calls) == 6


def test_what_did_not_run_is_not_recorded(past):
    """A refused call is made anew the next time: what was wrong may have been put right."""
    portal = FakePortal()
    portal.fail(COMMENT, "ACCESS_DENIED")
    with pytest.raises(PermanentError):
        past.deliver(portal, calls(COMMENT, fields={}))
    portal = FakePortal({COMMENT: 7})
    assert past.deliver(portal, calls(COMMENT, fields={})) == 7


def test_two_deliveries_at_once_one_waits(past):
    """While one has the lease the other sends nothing, and comes back soon."""
    waits, sent = None, []

    async def both():
        gate, begun = asyncio.Event(), asyncio.Event()

        class Slow(FakePortal):
            async def call(self, _method, /, **params):
                sent.append(params)
                begun.set()
                await gate.wait()
                return 7

        runs = []
        for number in range(2):
            row = Row.of(KEY, None, time.time())
            table = StateTable(past.table, "S")
            runs.append(Run(row, f"t{number}", time.time() + 120, table, past.log))
        portals = [OncePortal(Slow(), run) for run in runs]
        first = asyncio.create_task(portals[0].call(COMMENT, fields={}))
        await begun.wait()
        with pytest.raises(TransientError) as refused:
            await portals[1].call(COMMENT, fields={})
        await runs[1].finish()
        gate.set()
        assert await first == 7
        await runs[0].finish()
        return refused.value

    waits = asyncio.run(both())
    assert (waits.code, waits.retry_after, len(sent)) == ("IN_PROGRESS", 30.0, 1)


def test_a_write_that_was_under_way_is_noted_though_its_reaction_was_cancelled(past):
    """What was sent is finished; the next delivery finds its result."""

    async def run():
        gate, begun = asyncio.Event(), asyncio.Event()

        class Slow(FakePortal):
            async def call(self, _method, /, **_params):
                begun.set()
                await gate.wait()
                return 7

        its = Run(
            Row.of(KEY, None, 0), "t", time.time() + 120, StateTable(past.table, "S"), past.log
        )
        task = asyncio.create_task(OncePortal(Slow(), its).call(COMMENT, fields={}))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        asyncio.get_running_loop().call_later(0.01, gate.set)
        await its.finish()

    asyncio.run(run())
    assert past.deliver(FakePortal(), calls(COMMENT, fields={})) == 7


@pytest.mark.parametrize(
    ("method", "params", "listed", "found", "expected"),
    [
        (
            *("crm.item.add", {"entityTypeId": 2, "fields": {"title": "x"}}, "crm.item.list"),
            *({"id": 9, "title": "x", "companyId": 4}, {"item": {"id": 9}}),
        ),
        (
            "crm.item.add",
            {"entityTypeId": 128, "fields": {}},
            "crm.item.list",
            None,
            {"item": {"id": 1}},
        ),
        ("crm.deal.add", {"fields": {"TITLE": "x"}}, "crm.deal.list", {"ID": "9"}, 9),
        ("crm.lead.add", {"FIELDS": {"TITLE": "x"}}, "crm.lead.list", None, 1),
    ],
)
def test_a_lost_create_is_looked_for_when_it_can_not_be_running(  # noqa: PLR0913, PLR0917  a table
    past, method, params, listed, found, expected
):
    """Found by its mark it is the result; not found it is sent; a minute later, not before."""
    portal = FakePortal()
    portal.fail(method, "MayHaveRunError")
    with pytest.raises(TransientError) as lost:
        past.deliver(portal, calls(method, **params))
    assert (lost.value.code, lost.value.retry_after) == ("ANSWER_LOST", 65)
    sent = portal.calls[0][1]
    with pytest.raises(TransientError, match="IN_PROGRESS"):
        past.deliver(portal, calls(method, **params))
    past.offset = 70
    portal = FakePortal(ADMIN | {listed: [found] if found else [], method: expected})
    assert past.deliver(portal, calls(method, **params)) == expected
    by = portal.calls[0][1]["filter"]
    marks = next(value for name, value in sent.items() if name.lower() == "fields")
    assert all(marks[name.removeprefix("=")] == value for name, value in by.items())
    asked = [listed] if found else [listed, "profile", method]
    assert [method for method, _ in portal.calls] == asked


@pytest.mark.parametrize("profile", [{"ID": "1", "ADMIN": False}, {"ID": "1", "ADMIN": "N"}, []])
@pytest.mark.parametrize(
    ("method", "params", "listed"),
    [
        ("crm.item.add", {"entityTypeId": 2, "fields": {"assignedById": 9}}, "crm.item.list"),
        ("crm.deal.add", {"fields": {"ASSIGNED_BY_ID": 9}}, "crm.deal.list"),
        ("tasks.task.add", TASK, "tasks.task.list"),
    ],
)
def test_what_may_be_invisible_is_for_a_person_to_decide(past, method, params, listed, profile):
    """The user of a webhook may make an item for somebody else and not be allowed to read it."""
    portal = FakePortal()
    portal.fail(method, "MayHaveRunError")
    with pytest.raises(TransientError):
        past.deliver(portal, calls(method, **params))
    past.offset = 70
    portal = FakePortal({listed: [], "profile": profile, method: 7})
    with pytest.raises(MayHaveRunError, match=r"UNDECIDED: .*no administrator .*may read every"):
        past.deliver(portal, calls(method, **params))
    assert method not in dict(portal.calls)
    past.offset = 200
    assert past.deliver(portal, calls(method, **params), decided=time.time()) == 7


def test_a_lookup_waits_while_the_portal_does_not_say_who_asks(past):
    """Neither sent, nor given to a person."""
    portal = FakePortal()
    portal.fail("crm.deal.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        past.deliver(portal, calls("crm.deal.add", fields={}))
    past.offset = 70
    portal = FakePortal({"crm.deal.list": []})
    portal.fail("profile", "QUERY_LIMIT_EXCEEDED")
    with pytest.raises(TransientError, match="QUERY_LIMIT"):
        past.deliver(portal, calls("crm.deal.add", fields={}))
    past.offset = 200
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}]})
    assert past.deliver(portal, calls("crm.deal.add", fields={})) == 9


@pytest.mark.parametrize("unclear", [False, True])
def test_a_lost_task_is_told_by_its_mark_only(past, unclear):
    """One without a mark but of the same title and time may be it or not: a person decides."""
    portal = FakePortal()
    portal.fail("tasks.task.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        past.deliver(portal, calls("tasks.task.add", **TASK))
    mark = portal.calls[0][1]["fields"]["XML_ID"]
    past.offset = 70
    task = {"id": "9", "title": "Call", "createdDate": "2126-01-01T00:00:00+03:00"}
    task["xmlId"] = None if unclear else mark
    portal = FakePortal({"tasks.task.list": {"tasks": [task]}})
    if unclear:
        with pytest.raises(MayHaveRunError, match="is it this one"):
            past.deliver(portal, calls("tasks.task.add", **TASK))
    else:
        assert past.deliver(portal, calls("tasks.task.add", **TASK)) == {"task": {"id": "9"}}


@pytest.mark.parametrize(
    ("task", "unclear"),
    [
        ({"title": "Renamed", "xmlId": "another's"}, False),
        ({"title": "Call", "xmlId": "another's"}, False),
        ({"title": "Call", "createdDate": "2020-01-01T00:00:00+03:00"}, False),
        ({"title": "Other"}, False),
        ({"title": "Call"}, True),
    ],
)
def test_a_task_without_a_mark_is_a_question_only_where_it_may_be_the_one(past, task, unclear):
    """Of the title that was sent, made since."""
    portal = FakePortal()
    portal.fail("tasks.task.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        past.deliver(portal, calls("tasks.task.add", **TASK))
    past.offset = 70
    found = {"id": "9", "createdDate": "2126-01-01T00:00:00+03:00"} | task
    answers = {"tasks.task.list": {"tasks": [found]}, "tasks.task.add": {"task": {"id": 1}}}
    portal = FakePortal(ADMIN | answers)
    if unclear:
        with pytest.raises(MayHaveRunError):
            past.deliver(portal, calls("tasks.task.add", **TASK))
    else:
        assert past.deliver(portal, calls("tasks.task.add", **TASK)) == {"task": {"id": 1}}


def test_a_lost_task_that_was_renamed_and_reassigned_is_found(past):
    """Before it was looked for: only the time is filtered by."""
    portal = FakePortal()
    portal.fail("tasks.task.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        past.deliver(portal, calls("tasks.task.add", **TASK))
    mark = portal.calls[0][1]["fields"]["XML_ID"]
    past.offset = 70
    task = {"id": "9", "title": "Renamed", "responsibleId": "3", "xmlId": mark}
    portal = FakePortal({"tasks.task.list": {"tasks": [task]}})
    assert past.deliver(portal, calls("tasks.task.add", **TASK)) == {"task": {"id": "9"}}
    assert list(portal.calls[0][1]["filter"]) == [">=CREATED_DATE"]


def test_a_lost_task_that_is_nowhere_is_made(past):
    """Whatever is odd in its title."""
    portal = FakePortal()
    portal.fail("tasks.task.add", "MayHaveRunError")
    odd = {"fields": {"TITLE": "A & B ", "RESPONSIBLE_ID": 1}}
    with pytest.raises(TransientError):
        past.deliver(portal, calls("tasks.task.add", **odd))
    past.offset = 70
    answers = {"tasks.task.list": {"tasks": []}, "tasks.task.add": {"task": {"id": 1}}}
    portal = FakePortal(ADMIN | answers)
    assert past.deliver(portal, calls("tasks.task.add", **odd)) == {"task": {"id": 1}}


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
def test_what_leaves_no_mark_is_for_a_person_to_decide(past, method, params):
    """The error says what to look for and what to do then; sent back by a person it is sent."""
    assert stamp_of(method, params, "key") is None
    portal = FakePortal()
    portal.fail(method, "MayHaveRunError")
    with pytest.raises(MayHaveRunError, match=r"delete this message, if not, `make redrive`"):
        past.deliver(portal, calls(method, **params))
    past.offset = 200
    portal = FakePortal({method: 7})
    with pytest.raises(MayHaveRunError, match="nothing that it makes can be looked for"):
        past.deliver(portal, calls(method, **params))
    with pytest.raises(MayHaveRunError, match="nothing that it makes can be looked for"):
        past.deliver(portal, calls(method, **params), redriven=True)  # for another reason
    assert past.deliver(portal, calls(method, **params), decided=time.time()) == 7


def test_a_person_has_decided_on_what_was_sent_before_only(past):
    """The message bears the decision for ever; a second lost answer is a new question."""
    portal = FakePortal()
    portal.fail(COMMENT, "MayHaveRunError")
    with pytest.raises(MayHaveRunError):
        past.deliver(portal, calls(COMMENT, fields={}))
    past.offset = 200
    decided = time.time()
    past.offset = 300
    for _ in range(2):
        with pytest.raises(MayHaveRunError):
            past.deliver(portal, calls(COMMENT, fields={}), redriven=True, decided=decided)
        past.offset += 200
    assert len(portal.calls) == 2


def test_what_a_person_sends_back_is_looked_for_where_it_can_be(past):
    """Whoever sends all dead letters back has not looked for each of them."""
    portal = FakePortal()
    portal.fail("crm.deal.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        past.deliver(portal, calls("crm.deal.add", fields={}))
    past.offset = 200
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}]})
    again = calls("crm.deal.add", fields={})
    assert past.deliver(portal, again, redriven=True, decided=time.time()) == 9


def test_a_lost_answer_of_a_harmless_write_is_no_question(past):
    """Setting the same values again changes nothing."""
    portal = FakePortal()
    portal.fail("crm.item.update", "MayHaveRunError")
    update = calls("crm.item.update", entityTypeId=2, id=5, fields={"title": "x"})
    with pytest.raises(TransientError):
        past.deliver(portal, update)
    past.offset = 70
    answer = {"item": {"id": 5, "title": "x"}}
    assert past.deliver(FakePortal({"crm.item.update": answer}), update) == {"item": {"id": 5}}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [("tasks.task.add", TASK, "ANSWER_LOST"), (COMMENT, {"fields": {}}, "UNDECIDED")],
)
def test_a_reaction_that_asks_again_after_a_lost_answer_begins_no_second_write(
    past, method, params, code
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
        past.deliver(portal, insist)
    assert len(portal.calls) == 1


def test_a_refused_call_may_be_made_again_in_the_same_run(past):
    """It did not run, so there is nothing to be careful of."""
    answers = [TransientError(COMMENT, "QUERY_LIMIT_EXCEEDED"), 7]
    portal = FakePortal({COMMENT: lambda **_: answers.pop(0)})

    async def insist(its):
        try:
            return await its.call(COMMENT, fields={})
        except TransientError:
            return await its.call(COMMENT, fields={})

    assert past.deliver(portal, insist) == 7
    assert past.deliver(portal, insist) == 7
    assert len(portal.calls) == 2


def test_what_no_encoding_can_spell_is_kept_all_the_same(past):
    """Half a pair of UTF-16, which JSON can spell: one odd text must not stop a batch."""
    portal = FakePortal({COMMENT: 7})
    portal.fail("crm.deal.add", "PermanentError", "\ud83d")
    commands = {"a": (COMMENT, {"fields": {"COMMENT": "\ud83d"}}), "b": ("crm.deal.add", {})}

    async def run(its):
        return str((await its.batch(commands, return_errors=True))["b"])

    assert past.deliver(portal, run) == "crm.deal.add: PERMANENTERROR: \ud83d"
    assert past.deliver(portal, run) == "crm.deal.add: PERMANENTERROR: \ud83d"
    assert len(portal.calls) == 2


def test_what_can_not_be_stored_is_told_to_who_waits_for_it(past):
    """Anything may go wrong in a request; nobody is left waiting for the end of time."""
    for operation in ("TransactWriteItems", "BatchWriteItem"):
        past.table.trouble = {operation: UnicodeEncodeError("utf-8", "x", 0, 1, "no")}
        if operation == "TransactWriteItems":
            with pytest.raises(UnicodeEncodeError):
                past.deliver(FakePortal({COMMENT: 7}), calls(COMMENT, fields={}))
        else:
            assert past.deliver(FakePortal({COMMENT: 7}), calls(COMMENT, fields={})) == 7
            assert past.logged[-1][0] == "not recorded"


@pytest.mark.parametrize("operation", ["batch_write_item", "transact_write_items"])
def test_one_row_that_is_too_large_keeps_no_other_from_being_stored(past, monkeypatch, operation):
    """DynamoDB refuses the whole request for it."""
    real = getattr(past.table, operation)

    def limited(**request):
        if "too large" in str(request):
            text = "Item size has exceeded the maximum allowed size"
            said = {"Error": {"Code": "ValidationException", "Message": text}}
            raise ClientError(said, operation)
        return real(**request)

    monkeypatch.setattr(past.table, operation, limited)

    class Row:
        conditional = operation == "transact_write_items"

        def __init__(self, name):
            self.name = name

        def make(self, _table):
            item = {"pk": {"S": self.name}}
            put = {"Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
            return {"Put": put} if self.conditional else item

    async def write():
        table = StateTable(past.table, "S")
        rows = [Row("too large" if number == 7 else f"row {number}") for number in range(20)]
        return await asyncio.gather(*map(table.write, rows), return_exceptions=True)

    outcomes = asyncio.run(write())
    assert [str(its) for its in outcomes if its] == [str(outcomes[7])]
    assert isinstance(outcomes[7], RowError)
    assert len(past.table.rows) == 19


def test_after_thirty_days_nothing_is_known(past):
    """Whether DynamoDB has removed the row or not."""
    portal = FakePortal({COMMENT: 7})
    past.deliver(portal, calls(COMMENT, fields={}))
    past.offset = KEEP_SECONDS + 10
    past.deliver(portal, calls(COMMENT, fields={}))
    assert len(portal.calls) == 2


def test_a_reaction_has_all_that_a_portal_has(past):
    """What a test may use of a FakePortal, a reaction may use in production."""
    assert {name for name in vars(PortalApi) if not name.startswith("_")} <= set(vars(OncePortal))
    portal, made = FakePortal({COMMENT: lambda fields: made.append(fields) or 1}), []

    async def react(its):
        task = asyncio.create_task(its.call(COMMENT, fields={"COMMENT": "x"}))
        await asyncio.sleep(0)
        task.cancel()
        await its.settled()
        return its.requests

    assert past.deliver(portal, react) == 1
    assert made == [{"COMMENT": "x"}]


def test_a_batch_with_a_write_is_one_write(past):
    """It runs once, and its results are kept by their names."""
    portal = FakePortal({"crm.deal.add": 5, COMMENT: 7})
    commands = {"deal": ("crm.deal.add", {"fields": {}}), "said": (COMMENT, {"fields": {}})}

    async def run(its):
        return await its.batch(commands, halt=True)

    assert past.deliver(portal, run) == {"deal": 5, "said": 7}
    assert past.deliver(portal, run) == {"deal": 5, "said": 7}
    assert len(portal.calls) == 2


def test_a_batch_that_ran_in_part_is_not_run_again(past):
    """The error says what failed; who asked for errors gets them."""
    portal = FakePortal({"crm.deal.add": 5})
    portal.fail(COMMENT, "NOT_FOUND")
    commands = {"deal": ("crm.deal.add", {"fields": {}}), "said": (COMMENT, {"fields": {}})}
    with pytest.raises(PermanentError, match="PARTLY_RUN"):
        past.deliver(portal, lambda its: its.batch(commands))
    results = past.deliver(portal, lambda its: its.batch(commands, return_errors=True))
    assert results["deal"] == 5
    assert results["said"].code == "NOT_FOUND"
    assert len(portal.calls) == 2


SECRET = "s3cr3t-of-the-webhook"
ITEM = {
    "item": {
        "id": 9,
        "title": "Anna Lee",
        "photo": {"id": 1, "urlMachine": f"https://acme.bitrix24.com/rest/1/{SECRET}/x/?id=1"},
    }
}


def test_nothing_but_ids_is_stored_or_returned(past):
    """Neither the webhook's secret, which files' addresses hold, nor a name; first run or not."""
    portal = FakePortal()
    raw = {"crm.item.add": ITEM, "crm.item.update": ITEM, "crm.item.get": ITEM}
    portal.call = lambda method, /, **_: asyncio.sleep(0, raw[method])
    portal.batch = lambda commands, **_: asyncio.sleep(
        0, {name: raw[method] for name, (method, _) in commands.items()}
    )

    async def write(its):
        made = await its.call("crm.item.add", entityTypeId=2, fields={})
        with pytest.raises(KeyError, match="a write returns ids only"):
            _ = made["item"]["title"]
        same = await its.call("crm.item.update", entityTypeId=2, id=9, fields={"title": "x"})
        both = await its.batch({"a": ("crm.item.update", {}), "b": ("crm.item.get", {"id": 9})})
        assert both["b"] == ITEM
        return [made, same, both["a"]]

    assert past.deliver(portal, write) == [{"item": {"id": 9}}] * 3
    portal.call = None
    assert past.deliver(portal, write) == [{"item": {"id": 9}}] * 3
    assert past.run.replayed == 3
    assert "crm.item.update" in plain(past.table.rows)
    for text in (SECRET, "Anna"):
        assert text not in plain(past.table.rows)


def test_rows_that_hold_whole_results_are_replayed_and_shrink(past):
    """As the version before this one wrote them; what is written next holds ids only."""
    params = {"entityTypeId": 2, "fields": {"title": "x"}}
    commands = {"a": (COMMENT, {"fields": {}}), "b": ("crm.item.get", {"id": 9})}
    row = Row(KEY, "token", time.time() - 10)
    for method, given, result in (
        ("crm.item.add", params, ITEM),
        ("batch", {"commands": commands, "halt": False}, {"results": {"a": 7, "b": ITEM}}),
    ):
        its = row.add(method, digest_of(given), 1.0)
        its.done, its.result = True, json.dumps(result | {"errors": {}})
    past.table.rows[KEY] = row.to_item(time.time())

    async def write(its):
        made = await its.call("crm.item.add", **params)
        both = await its.batch(commands)
        await its.call(COMMENT, fields={"COMMENT": "new"})
        return made, both

    portal = FakePortal({"crm.item.get": {"item": {"id": 9, "title": "now"}}, COMMENT: 8})
    both = {"a": 7, "b": {"item": {"id": 9, "title": "now"}}}
    assert past.deliver(portal, write) == ({"item": {"id": 9}}, both)
    assert [method for method, _ in portal.calls] == ["crm.item.get", COMMENT]
    assert SECRET not in plain(past.table.rows)


CHAIN = {
    "before": ("crm.item.get", {"entityTypeId": 2, "id": 5}),
    "task": ("tasks.task.add", {"fields": {"TITLE": "x"}}),
    "item": ("task.checklistitem.add", {"TASKID": "$result[task][task][id]"}),
    "read": ("tasks.task.get", {"taskId": "$result[task][task][id]"}),
    "more": ("crm.item.get", {"entityTypeId": 4, "id": "$result[before][item][companyId]"}),
}
ANSWERS = {
    "crm.item.get": lambda **its: {"item": {"id": its["id"], "companyId": 4}},
    "tasks.task.add": {"task": {"id": "9", "title": "x"}},
    "task.checklistitem.add": 3,
    "tasks.task.get": lambda **its: {"task": {"id": its["taskId"], "title": "x"}},
}


def test_the_reads_of_a_batch_that_was_done_are_asked_anew(past):
    """With the ids that the first run's writes gave, and as a chain of their own."""
    portal = FakePortal(ANSWERS)

    def run(its):
        return its.batch(CHAIN, halt=True)

    first = past.deliver(portal, run)
    assert list(first) == list(CHAIN)
    assert first["read"] == {"task": {"id": "9", "title": "x"}}
    assert first["more"] == {"item": {"id": 4, "companyId": 4}}
    del portal.calls[:]
    assert past.deliver(portal, run) == first
    assert portal.calls == [
        ("crm.item.get", {"entityTypeId": 2, "id": 5}),
        ("tasks.task.get", {"taskId": "9"}),
        ("crm.item.get", {"entityTypeId": 4, "id": 4}),
    ]


def test_a_read_that_fails_on_a_repeat_is_the_read_s_own_failure(past):
    """It can be asked for; a reaction that asks again gets the same batch, not a second one."""
    past.deliver(FakePortal(ANSWERS), lambda its: its.batch(CHAIN))
    portal = FakePortal(ANSWERS)
    portal.fail("tasks.task.get", "TransientError")

    async def insist(its):
        with pytest.raises(TransientError):
            await its.batch(CHAIN)
        return await its.batch(CHAIN, return_errors=True)

    results = past.deliver(portal, insist)
    assert isinstance(results["read"], TransientError)
    assert results["item"] == 3
    assert {method for method, _ in portal.calls} == {"crm.item.get", "tasks.task.get"}


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ({"task": {"id": "9", "title": "x"}}, "[task][title]"),
        ({"task": {"id": "9"}}, "[task]"),
        ("a text", ""),
    ],
)
def test_a_read_that_needs_what_is_not_kept_is_refused_on_a_repeat(past, answer, path):
    """The error says what to do instead; nothing is sent."""
    by = {"filter": [{"=title": f"$result[task]{path}"}]}
    commands = {"task": ("tasks.task.add", {"fields": {}}), "read": ("crm.item.list", by)}
    portal = FakePortal({"tasks.task.add": answer, "crm.item.list": {"items": []}})
    past.deliver(portal, lambda its: its.batch(commands))
    with pytest.raises(PermanentError, match=r"NOT_KEPT: read refers .* a call of its own"):
        past.deliver(portal, lambda its: its.batch(commands))
    assert len(portal.calls) == 2


def test_a_batch_of_other_commands_is_not_the_one_that_was_done(past):
    """Other parameters get the record, other names would get nothing."""
    portal = FakePortal({COMMENT: 7})
    past.deliver(portal, lambda its: its.batch({"a": (COMMENT, {}), "b": (COMMENT, {})}))
    with pytest.raises(DivergedError, match="first run: b, c; what that run did stays done"):
        past.deliver(portal, lambda its: its.batch({"a": (COMMENT, {}), "c": (COMMENT, {})}))


def test_what_a_portal_says_of_an_error_is_kept_in_short(past):
    """A page of HTML in the place of an error must not fill a row."""
    portal = FakePortal({"crm.deal.add": 5})
    portal.fail(COMMENT, "PermanentError", "x" * 2000)
    commands = {"a": ("crm.deal.add", {}), "b": (COMMENT, {})}
    results = past.deliver(portal, lambda its: its.batch(commands, return_errors=True))
    assert results["b"].description == "x" * 500


@pytest.mark.parametrize("name", ["OperatorError", "MayHaveRunError"])
def test_a_batch_that_did_not_run_raises_its_error(past, name):
    """None of it ran, or nobody knows."""
    portal = FakePortal()
    portal.fail(COMMENT, name)
    with pytest.raises((OperatorError, MayHaveRunError)):
        past.deliver(portal, lambda its: its.batch({"a": (COMMENT, {"fields": {}})}))


@contextmanager
def in_trouble(table, operation, code="AccessDeniedException"):
    """Let the table refuse an operation."""
    said = {"Error": {"Code": code, "Message": f"not authorized to perform {operation}"}}
    table.trouble[operation] = ClientError(said, operation)
    yield
    del table.trouble[operation]


def test_without_the_table_nothing_is_sent(past):
    """A missing right is named, and the write is made when it is there."""
    portal = FakePortal({COMMENT: 7})
    with (
        in_trouble(past.table, "TransactWriteItems"),
        pytest.raises(StateError, match="not authorized to perform TransactWriteItems"),
    ):
        past.deliver(portal, calls(COMMENT, fields={}))
    assert not portal.calls
    assert past.deliver(portal, calls(COMMENT, fields={})) == 7


def test_a_result_that_can_not_be_stored_is_logged(past):
    """The record is done; a double of it would find the intent, and ask a person."""
    with in_trouble(past.table, "BatchWriteItem"):
        assert past.deliver(FakePortal({COMMENT: 7}), calls(COMMENT, fields={})) == 7
    assert past.logged[-1][0] == "not recorded"


def test_failures_are_counted_even_before_the_first_write(past):
    """Waiting uses up no attempt, so the queue's own count is of no use."""

    async def fail(_portal):
        raise ZeroDivisionError

    for expected in (1, 2):
        with pytest.raises(ZeroDivisionError):
            past.deliver(FakePortal(), fail)
        assert Row.of(KEY, past.table.rows[KEY], time.time()).failures == expected


def test_a_throttled_table_is_asked_again(past):
    """What DynamoDB did not process is sent again; after some tries it is an error."""
    past.table.unprocessed = 2
    table = StateTable(past.table, "S")
    assert table.load(["a"]) == {}
    past.table.unprocessed = 9
    with pytest.raises(StateError, match="throttled"):
        table.load(["a"])
    past.table.unprocessed = 0
    with in_trouble(past.table, "BatchGetItem"), pytest.raises(StateError, match="BatchGetItem"):
        table.load(["a"])
    past.table.unprocessed = 9
    past.deliver(FakePortal({COMMENT: 7}), calls(COMMENT, fields={}))
    assert past.logged[-1] == ("not recorded", {"reason": "the State table is throttled"})


@pytest.mark.parametrize(
    ("code", "message", "times", "expected"),
    [
        ("TransactionConflict", "x", 1, None),
        ("TransactionConflict", "x", 99, StateError),
        (
            "ValidationError",
            "Item size to update has exceeded the maximum allowed size",
            1,
            RowError,
        ),
        ("ValidationError", "Type mismatch for key pk", 1, StateError),
    ],
)
def test_a_canceled_transaction_is_judged_by_its_reasons(past, code, message, times, expected):
    """A conflict is tried again; a row that is too large can't be helped by waiting."""
    real, left = past.table.transact_write_items, [times]

    def canceled(TransactItems):  # noqa: N803  boto3's name
        if left[0]:
            left[0] -= 1
            reasons = [{"Code": code, "Message": message} for _ in TransactItems]
            said = {"Error": {"Code": "x"}, "CancellationReasons": reasons}
            raise past.table.exceptions.TransactionCanceledException(said, "TransactWriteItems")
        real(TransactItems)

    past.table.transact_write_items = canceled
    portal = FakePortal({COMMENT: 7})
    if expected is None:
        assert past.deliver(portal, calls(COMMENT, fields={})) == 7
    else:
        with pytest.raises(expected):
            past.deliver(portal, calls(COMMENT, fields={}))
        assert not portal.calls


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Item size has exceeded the maximum allowed size", RowError),
        ("Item size to update has exceeded the maximum allowed size", RowError),
        ("The provided key element does not match the schema", StateError),
    ],
)
def test_only_a_row_s_size_is_for_good(past, message, expected):
    """A table of another key can be put right by a person, and what waits for it is then done."""
    said = {"Error": {"Code": "ValidationException", "Message": message}}
    past.table.trouble["TransactWriteItems"] = ClientError(said, "TransactWriteItems")
    portal = FakePortal({COMMENT: 7})
    with pytest.raises(expected):
        past.deliver(portal, calls(COMMENT, fields={}))
    assert not portal.calls


def test_a_row_that_is_full_says_so_before_the_next_write_is_sent(past, monkeypatch):
    """What was done stays noted; the record goes to a person, who reads what to change."""
    monkeypatch.setattr(checkpoint, "ROW_BYTES", 400)
    portal = FakePortal({COMMENT: 7})

    async def many(its):
        for number in range(20):
            await its.call(COMMENT, fields={"COMMENT": str(number)})

    with pytest.raises(RowError, match=r"makes \d+ writes for one record.* make fewer"):
        past.deliver(portal, many)
    sent = len(portal.calls)
    assert 0 < sent < 20
    assert sum(its.done for its in Row.of(KEY, past.table.rows[KEY], time.time()).writes) == sent
    past.offset = 200
    with pytest.raises(RowError):
        past.deliver(portal, many)
    assert len(portal.calls) == sent


@pytest.mark.parametrize(("late", "taken"), [(-1, False), (4, False), (6, True)])
def test_a_lease_lasts_as_much_longer_as_clocks_may_differ(past, late, taken):
    """A copy whose clock is ahead must not send while the owner still may."""
    until = time.time() + 50
    past.table.rows[KEY] = Row(KEY, "another", until).to_item(time.time())
    past.offset = 50 + late
    portal = FakePortal({COMMENT: 7})
    if taken:
        assert past.deliver(portal, calls(COMMENT, fields={})) == 7
    else:
        with pytest.raises(TransientError, match="IN_PROGRESS") as waits:
            past.deliver(portal, calls(COMMENT, fields={}))
        assert waits.value.retry_after == pytest.approx(CLOCK_SECONDS - late, abs=0.5)
        assert waits.value.method == COMMENT
        assert not portal.calls


def test_a_lease_is_looked_at_once_more_when_its_request_is_made():
    """A sibling may have learnt meanwhile that another delivery has the row."""
    row = Row(KEY)
    made = []

    class Slow:
        async def write(self, request):
            row.take_over(Row(KEY, "another", time.time() + 50))
            made.append(request.make("S"))

    lease = Lease(row, "mine", time.time() + 120, Slow())
    lease.check()
    with pytest.raises(TransientError, match="IN_PROGRESS"):
        asyncio.run(lease.store())
    assert not made
    assert not lease.is_ours


def test_a_call_that_comes_while_a_sibling_is_refused_the_lease_sends_nothing(past):
    """The row that it saw was free; what the refusal brings is heeded by it too."""
    begun, gate = threading.Event(), threading.Event()
    real = past.table.transact_write_items

    def slow(TransactItems):  # noqa: N803  boto3's name
        begun.set()
        gate.wait(5)
        real(TransactItems)

    past.table.transact_write_items = slow
    portal = FakePortal({COMMENT: 7})

    async def react(its):
        past.table.rows[KEY] = Row(KEY, "another", time.time() + 100).to_item(time.time())
        first = asyncio.create_task(its.call(COMMENT, fields={"COMMENT": "a"}))
        await asyncio.to_thread(begun.wait, 5)
        second = asyncio.create_task(its.call(COMMENT, fields={"COMMENT": "b"}))
        for _ in range(20):
            await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(first, second, return_exceptions=True)

    assert [its.code for its in past.deliver(portal, react)] == ["IN_PROGRESS"] * 2
    assert not portal.calls
    assert past.table.rows[KEY]["owner"] == {"S": "another"}


def test_after_a_refused_create_no_two_have_one_mark(past):
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

    past.deliver(FakePortal({"crm.deal.add": add}), react)
    assert len(marks) == len(set(marks)) == 4
    numbers = [its.number for its in Row.of(KEY, past.table.rows[KEY], time.time()).writes]
    assert sorted(numbers) == [1, 2, 3]


def test_failures_are_forgotten_with_their_row(past):
    """A record sent back after a month has all its attempts."""

    async def fail(_portal):
        raise ZeroDivisionError

    for offset in (0, KEEP_SECONDS + 10):
        past.offset = offset
        with pytest.raises(ZeroDivisionError):
            past.deliver(FakePortal(), fail)
        assert Row.of(KEY, past.table.rows[KEY], time.time()).failures == 1


def test_an_intent_that_could_not_be_stored_is_none(past):
    """A reaction that catches the table's error and asks again makes one write, the first."""
    portal = FakePortal({"crm.deal.add": 7})

    async def insist(its):
        with in_trouble(past.table, "TransactWriteItems"), pytest.raises(StateError):
            await its.call("crm.deal.add", fields={})
        return await its.call("crm.deal.add", fields={})

    assert past.deliver(portal, insist) == 7
    (write,) = Row.of(KEY, past.table.rows[KEY], time.time()).writes
    assert (write.number, write.done) == (0, True)


def test_a_lost_write_stays_the_same_one_through_a_table_s_failure(past):
    """A reaction that catches the table's error and asks again gets what it made."""
    portal = FakePortal()
    portal.fail("crm.deal.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        past.deliver(portal, calls("crm.deal.add", fields={}))
    past.offset = 200
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}], "crm.deal.add": 10})

    async def insist(its):
        with in_trouble(past.table, "TransactWriteItems"), pytest.raises(StateError):
            await its.call("crm.deal.add", fields={})
        return await its.call("crm.deal.add", fields={})

    assert past.deliver(portal, insist) == 9
    assert [method for method, _ in portal.calls] == ["crm.deal.list"]


def test_a_run_that_has_ended_sends_nothing_new(past):
    """What a reaction did not wait for, and what was not sent yet, is not sent after it."""
    portal = FakePortal({COMMENT: 7})
    tasks = []

    async def react(its):
        tasks.append(asyncio.create_task(its.call(COMMENT, fields={})))
        await asyncio.sleep(0)

    past.deliver(portal, react)
    assert tasks[0].cancelled()
    assert not portal.calls
    assert not Row.of(KEY, past.table.rows[KEY], time.time()).writes


ORIGIN = {"originatorId": "bitrix24-relay", "originId": "relay-key"}
OLD_ORIGIN = {"ORIGINATOR_ID": "bitrix24-relay", "ORIGIN_ID": "relay-key"}


@pytest.mark.parametrize(
    ("method", "params", "fields"),
    [
        *(("crm.item.add", {"entityTypeId": n, "fields": {}}, ORIGIN) for n in (1, 2, 3, "4")),
        *(
            ("crm.item.add", {"entityTypeId": n, "fields": {}}, {"xmlId": "relay-key"})
            for n in (31, 128, 1_032)
        ),
        *(("crm.item.add", {"entityTypeId": n, "fields": {}}, None) for n in (0, 5, 30, 32, 127)),
        ("crm.item.add", {"fields": {}}, None),
        *(
            (f"CRM.{name}.add", {"fields": {}}, OLD_ORIGIN)
            for name in ("Lead", "deal", "contact", "company")
        ),
        ("crm.quote.add", {"fields": {}}, None),
        ("crm.deal.update", {"fields": {}}, None),
        ("tasks.task.add", {"fields": {"TITLE": "x"}}, {"XML_ID": "relay-key"}),
        ("tasks.task.add", {}, {"XML_ID": "relay-key"}),
        ("tasks.task.add", {"fields": {"xmlId": "mine"}}, None),
        ("crm.deal.add", {"FIELDS": {"ORIGINATOR_ID": "mine"}}, None),
        ("crm.deal.add", {"FIELDS": {"ORIGIN_ID": "", "TITLE": "x"}}, OLD_ORIGIN),
    ],
)
def test_what_a_create_is_marked_with(method, params, fields):
    """Where the portal has a field for an external key that the reaction has not used."""
    mark = stamp_of(method, params, "key")
    assert (mark and dict(mark.fields)) == fields


def test_a_mark_is_put_beside_the_fields():
    """Under the name that the reaction wrote, and what was given stays as it is."""
    params = {"FIELDS": {"TITLE": "x"}, "params": {"REGISTER_SONET_EVENT": "N"}}
    mark = stamp_of("crm.deal.add", params, "key")
    marked = {"FIELDS": {"TITLE": "x"} | OLD_ORIGIN, "params": {"REGISTER_SONET_EVENT": "N"}}
    assert mark.put_on(params) == marked
    assert params["FIELDS"] == {"TITLE": "x"}


def looked_for(method, params, answers, since=1_800_000_000.0):
    """Look for a create; returns what was found and what was asked."""
    portal = FakePortal(ADMIN | answers)
    mark = stamp_of(method, params, "key")
    return asyncio.run(find(portal, method, params, mark, since)), portal.calls[0]


def test_what_is_looked_for_and_where():
    """In the list of the same kind, by the mark alone, with all that the create needed beside."""
    params = {"entityTypeId": 128, "useOriginalUfNames": "Y", "fields": {}}
    found, asked = looked_for("crm.item.add", params, {"crm.item.list": [{"id": 9}]})
    assert found == {"item": {"id": 9}}
    more = {"entityTypeId": 128, "useOriginalUfNames": "Y", "select": ["*"]}
    assert asked == ("crm.item.list", more | {"filter": {"=xmlId": "relay-key"}})
    found, asked = looked_for("CRM.Deal.Add", {"fields": {}}, {"crm.deal.list": [{"ID": "9"}]})
    assert found == 9
    by = {"=ORIGINATOR_ID": "bitrix24-relay", "=ORIGIN_ID": "relay-key"}
    assert asked == ("crm.deal.list", {"filter": by, "select": ["ID"]})


@pytest.mark.parametrize(("seconds", "unclear"), [(-299, True), (-300, True), (-301, False)])
def test_a_task_is_looked_for_from_five_minutes_before_it_was_sent(seconds, unclear):
    """Clocks differ; a portal reads a filter's time in a zone that is up to 14 hours away."""
    since = 1_800_000_000.0
    made = datetime.fromtimestamp(since + seconds, UTC).isoformat()
    answers = {"tasks.task.list": {"tasks": [{"id": "9", "title": "Call", "createdDate": made}]}}
    if unclear:
        with pytest.raises(MayHaveRunError, match="is it this one"):
            looked_for("tasks.task.add", TASK, answers)
    else:
        found, (_, asked) = looked_for("tasks.task.add", TASK, answers)
        assert found is None
        begin = datetime.fromtimestamp(since - 300 - 14 * 3600, UTC).isoformat()
        assert asked["filter"] == {">=CREATED_DATE": begin}
        assert {"XML_ID", "TITLE", "CREATED_DATE"} <= set(asked["select"])


def test_a_row_is_stored_and_read_as_it_is():
    """Whole, and for longer than queue and dead-letter queue keep a message together."""
    row = Row(KEY, "owner", 1_000.5, 3, 0.0, [Write("m", 4, "digest", 2.5, done=True, result="7")])
    item = row.to_item(1_000.0)
    assert float(item["expires"]["N"]) - 1_000 >= 2 * 14 * 24 * 3600
    stored = Row.of(KEY, item, 1_000.0)
    names = ("key", "owner", "until", "failures")
    assert [getattr(stored, name) for name in names] == [KEY, "owner", 1_000.5, 3]
    assert stored.expires == float(item["expires"]["N"])
    (write,) = stored.writes
    its = (write.method, write.number, write.digest, write.at, write.done, write.result)
    assert its == ("m", 4, "digest", 2.5, True, "7")
    assert Row.of(KEY, item, stored.expires).writes == []
    assert Row.of(KEY, item, stored.expires - 1).failures == 3


def test_a_call_is_matched_by_its_equal_first_then_in_order():
    """Where parameters differ the lowest number is taken, wherever it stands in the row."""
    row = Row(KEY)
    row.writes = [Write("m", 1, "b", 0), Write("m", 0, "a", 0), Write("n", 0, "c", 0)]
    second, first, other = row.writes
    assert match(row, set(), "m", "a", quiet=False) is first
    assert match(row, set(), "m", "new", quiet=True) is first
    assert match(row, {first}, "m", "new", quiet=True) is second
    assert match(row, {first, second}, "m", "new", quiet=True) == "n"
    assert match(row, {first, second, other}, "m", "new", quiet=False) is None


def test_a_run_that_has_read_too_early_goes_on_with_what_is_stored(past):
    """Another delivery took the row, and has ended, since: its writes and failures are kept."""
    portal = FakePortal({COMMENT: 7})
    past.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"}))
    stored = Row.of(KEY, past.table.rows[KEY], time.time())
    stored.failures = 2
    past.table.rows[KEY] = stored.to_item(time.time())

    async def late():
        run = Run(Row(KEY), "late", time.time() + 120, StateTable(past.table, "S"), past.log)
        result = await OncePortal(portal, run).call(COMMENT, fields={"COMMENT": "x"})
        await run.finish(failed=True)
        return result

    past.offset = 10
    assert asyncio.run(late()) == 7
    assert len(portal.calls) == 1
    row = Row.of(KEY, past.table.rows[KEY], time.time())
    assert (row.failures, row.owner, len(row.writes)) == (3, "late", 1)


def test_what_is_harmless_costs_no_request_of_its_own(past):
    """The lease is taken once; what may be sent twice is stored with the end of the run."""
    portal = FakePortal({"crm.item.update": {"item": {"id": 5}}})

    async def react(its):
        for title in "abc":
            await its.call("crm.item.update", entityTypeId=2, id=5, fields={"title": title})

    past.deliver(portal, react)
    assert past.table.asked == ["TransactWriteItems", "BatchWriteItem"]
    assert len(Row.of(KEY, past.table.rows[KEY], time.time()).writes) == 3
