"""relay.reaction.writes: batches, and what is kept of results."""

import asyncio
import json
import time

import pytest

from relay.errors import (
    DivergedError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    TransientError,
)
from relay.portal.fake import FakePortal
from relay.reaction.checkpoint import Checkpoint, digest_of
from tests.plain import plain
from tests.runs import COMMENT, KEY


def test_a_batch_with_a_write_is_one_write(record):
    """A batch runs once, and a repeat returns its results by their names."""
    portal = FakePortal({"crm.deal.add": 5, COMMENT: 7})
    commands = {"deal": ("crm.deal.add", {"fields": {}}), "said": (COMMENT, {"fields": {}})}

    async def run(once):
        return await once.batch(commands, halt=True)

    assert record.deliver(portal, run) == {"deal": 5, "said": 7}
    assert record.deliver(portal, run) == {"deal": 5, "said": 7}
    assert len(portal.calls) == 2


def test_a_batch_that_ran_in_part_is_not_repeated(record):
    """A batch that ran in part raises PARTLY_RUN, or returns its errors, and is not sent again."""
    portal = FakePortal({"crm.deal.add": 5})
    portal.fail(COMMENT, "NOT_FOUND")
    commands = {"deal": ("crm.deal.add", {"fields": {}}), "said": (COMMENT, {"fields": {}})}
    with pytest.raises(PermanentError, match="PARTLY_RUN"):
        record.deliver(portal, lambda once: once.batch(commands))
    (stored,) = record.stored().writes
    errors = {"said": [COMMENT, "NOT_FOUND", "made to fail"]}
    assert json.loads(stored.result) == {"results": {"deal": 5}, "errors": errors}
    results = record.deliver(portal, lambda once: once.batch(commands, return_errors=True))
    assert results["deal"] == 5
    assert results["said"].code == "NOT_FOUND"
    assert len(portal.calls) == 2


def test_a_batch_with_a_command_that_may_have_run_needs_an_operator(record):
    """The results beside it are not recorded as the whole, and nothing is sent once more."""
    portal = FakePortal({"crm.deal.add": 5})
    portal.fail(COMMENT, "MayHaveRunError")
    commands = {"deal": ("crm.deal.add", {"fields": {}}), "said": (COMMENT, {"fields": {}})}
    for offset in (0, 200):
        record.offset = offset
        with pytest.raises(MayHaveRunError, match="UNDECIDED"):
            record.deliver(portal, lambda once: once.batch(commands, return_errors=True))
    assert len(portal.calls) == 2


SECRET = "s3cr3t-of-the-webhook"


ITEM = {
    "item": {
        "id": 9,
        "title": "Anna Lee",
        "photo": {"id": 1, "urlMachine": f"https://acme.bitrix24.com/rest/1/{SECRET}/x/?id=1"},
    }
}


def test_nothing_but_ids_is_stored_or_returned(record):
    """Neither the webhook's secret nor a name is stored or returned, on a repeat either."""
    portal = FakePortal()
    raw = {"crm.item.add": ITEM, "crm.item.update": ITEM, "crm.item.get": ITEM}
    portal.call = lambda method, /, **_: asyncio.sleep(0, raw[method])
    portal.batch = lambda commands, **_: asyncio.sleep(
        0, {name: raw[method] for name, (method, _) in commands.items()}
    )

    async def write(once):
        made = await once.call("crm.item.add", entityTypeId=2, fields={})
        with pytest.raises(KeyError, match="a write returns ids only"):
            _ = made["item"]["title"]
        same = await once.call("crm.item.update", entityTypeId=2, id=9, fields={"title": "x"})
        both = await once.batch({"a": ("crm.item.update", {}), "b": ("crm.item.get", {"id": 9})})
        assert both["b"] == ITEM
        return [made, same, both["a"]]

    assert record.deliver(portal, write) == [{"item": {"id": 9}}] * 3
    portal.call = None
    assert record.deliver(portal, write) == [{"item": {"id": 9}}] * 3
    assert record.run.replayed == 3
    assert "crm.item.update" in plain(record.table.rows)
    for text in (SECRET, "Anna"):
        assert text not in plain(record.table.rows)


def test_rows_that_hold_whole_results_are_replayed_and_shrink(record):
    """Whole results that an older version stored are replayed as ids, and stored so."""
    params = {"entityTypeId": 2, "fields": {"title": "x"}}
    commands = {"a": (COMMENT, {"fields": {}}), "b": ("crm.item.get", {"id": 9})}
    row = Checkpoint(KEY, "token", time.time() - 10)
    for method, given, result in (
        ("crm.item.add", params, ITEM),
        ("batch", {"commands": commands, "halt": False}, {"results": {"a": 7, "b": ITEM}}),
    ):
        once = row.add(method, digest_of(given), 1.0)
        once.done, once.result = True, json.dumps(result | {"errors": {}})
    record.table.rows[KEY] = row.to_item(time.time())

    async def write(once):
        made = await once.call("crm.item.add", **params)
        both = await once.batch(commands)
        await once.call(COMMENT, fields={"COMMENT": "new"})
        return made, both

    portal = FakePortal({"crm.item.get": {"item": {"id": 9, "title": "now"}}, COMMENT: 8})
    both = {"a": 7, "b": {"item": {"id": 9, "title": "now"}}}
    assert record.deliver(portal, write) == ({"item": {"id": 9}}, both)
    assert [method for method, _ in portal.calls] == ["crm.item.get", COMMENT]
    assert SECRET not in plain(record.table.rows)


CHAIN = {
    "before": ("crm.item.get", {"entityTypeId": 2, "id": 5}),
    "task": ("tasks.task.add", {"fields": {"TITLE": "x"}}),
    "item": ("task.checklistitem.add", {"TASKID": "$result[task][task][id]"}),
    "read": ("tasks.task.get", {"taskId": "$result[task][task][id]"}),
    "more": ("crm.item.get", {"entityTypeId": 4, "id": "$result[before][item][companyId]"}),
}


ANSWERS = {
    "crm.item.get": lambda **once: {"item": {"id": once["id"], "companyId": 4}},
    "tasks.task.add": {"task": {"id": "9", "title": "x"}},
    "task.checklistitem.add": 3,
    "tasks.task.get": lambda **once: {"task": {"id": once["taskId"], "title": "x"}},
}


def test_the_reads_of_a_recorded_batch_are_sent_again(record):
    """On a repeat the reads of a batch are sent with the ids that the recorded writes made."""
    portal = FakePortal(ANSWERS)

    def run(once):
        return once.batch(CHAIN, halt=True)

    first = record.deliver(portal, run)
    assert list(first) == list(CHAIN)
    assert first["read"] == {"task": {"id": "9", "title": "x"}}
    assert first["more"] == {"item": {"id": 4, "companyId": 4}}
    del portal.calls[:]
    assert record.deliver(portal, run) == first
    assert portal.calls == [
        ("crm.item.get", {"entityTypeId": 2, "id": 5}),
        ("tasks.task.get", {"taskId": "9"}),
        ("crm.item.get", {"entityTypeId": 4, "id": 4}),
    ]


def test_a_read_that_was_refused_is_refused_on_a_repeat_too(record):
    """A repeat returns the refusal that the first run had, and does not ask anew."""
    commands = {"deal": ("crm.deal.add", {}), "read": ("crm.item.get", {"entityTypeId": 2})}
    portal = FakePortal({"crm.deal.add": 5})
    portal.fail("crm.item.get", "NOT_FOUND")
    for _ in range(2):
        results = record.deliver(portal, lambda once: once.batch(commands, return_errors=True))
        assert (results["deal"], results["read"].code) == (5, "NOT_FOUND")
    assert len(portal.calls) == 2


def test_a_failing_read_of_a_recorded_batch_fails_alone(record):
    """A failing read of a recorded batch raises its own error, and the batch can be repeated."""
    record.deliver(FakePortal(ANSWERS), lambda once: once.batch(CHAIN))
    portal = FakePortal(ANSWERS)
    portal.fail("tasks.task.get", "TransientError")

    async def insist(once):
        with pytest.raises(TransientError):
            await once.batch(CHAIN)
        return await once.batch(CHAIN, return_errors=True)

    results = record.deliver(portal, insist)
    assert isinstance(results["read"], TransientError)
    assert results["item"] == 3
    assert {method for method, _ in portal.calls} == {"crm.item.get", "tasks.task.get"}


def test_a_recorded_batch_whose_reads_were_not_sent_is_not_sent_anew(record):
    """A reaction that catches the error and repeats the batch begins no second write."""
    record.deliver(FakePortal(ANSWERS), lambda once: once.batch(CHAIN))
    portal = FakePortal(ANSWERS)
    answer, late = portal.batch, [TransientError("batch", "NO_SLOT")]

    async def batch(commands, **options):
        if late:
            raise late.pop()
        return await answer(commands, **options)

    async def insist(once):
        with pytest.raises(TransientError):
            await once.batch(CHAIN)
        return await once.batch(CHAIN)

    portal.batch = batch
    assert record.deliver(portal, insist)["item"] == 3
    assert {method for method, _ in portal.calls} == {"crm.item.get", "tasks.task.get"}


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ({"task": {"id": "9", "title": "x"}}, "[task][title]"),
        ({"task": {"id": "9"}}, "[task]"),
        ("a text", ""),
    ],
)
def test_a_read_that_needs_more_than_an_id_is_refused_on_a_repeat(record, answer, path):
    """A read that refers to more than an id raises NOT_KEPT on a repeat, and nothing is sent."""
    by = {"filter": [{"=title": f"$result[task]{path}"}]}
    commands = {"task": ("tasks.task.add", {"fields": {}}), "read": ("crm.item.list", by)}
    portal = FakePortal({"tasks.task.add": answer, "crm.item.list": {"items": []}})
    record.deliver(portal, lambda once: once.batch(commands))
    with pytest.raises(PermanentError, match=r"NOT_KEPT: read refers .* a call of its own"):
        record.deliver(portal, lambda once: once.batch(commands))
    assert len(portal.calls) == 2


def test_a_batch_of_other_commands_is_refused(record):
    """A repeat with other names of commands raises DivergedError."""
    portal = FakePortal({COMMENT: 7})
    record.deliver(portal, lambda once: once.batch({"a": (COMMENT, {}), "b": (COMMENT, {})}))
    with pytest.raises(DivergedError, match="first run: b, c; the writes of that run stay done"):
        record.deliver(portal, lambda once: once.batch({"a": (COMMENT, {}), "c": (COMMENT, {})}))


def test_an_errors_description_is_kept_in_short(record):
    """500 characters of a refused command's description are kept."""
    portal = FakePortal({"crm.deal.add": 5})
    portal.fail(COMMENT, "PermanentError", "x" * 2000)
    commands = {"a": ("crm.deal.add", {}), "b": (COMMENT, {})}
    results = record.deliver(portal, lambda once: once.batch(commands, return_errors=True))
    assert results["b"].description == "x" * 500


@pytest.mark.parametrize("name", ["OperatorError", "MayHaveRunError"])
def test_a_batch_that_did_not_run_raises_its_error(record, name):
    """A batch of which no command ran, or maybe one, raises that error."""
    portal = FakePortal()
    portal.fail(COMMENT, name)
    with pytest.raises((OperatorError, MayHaveRunError)):
        record.deliver(portal, lambda once: once.batch({"a": (COMMENT, {"fields": {}})}))


def test_a_lone_surrogate_is_stored(record):
    """A lone surrogate in parameters and errors is stored and replayed."""
    portal = FakePortal({COMMENT: 7})
    portal.fail("crm.deal.add", "PermanentError", "\ud83d")
    commands = {"a": (COMMENT, {"fields": {"COMMENT": "\ud83d"}}), "b": ("crm.deal.add", {})}

    async def run(once):
        return str((await once.batch(commands, return_errors=True))["b"])

    assert record.deliver(portal, run) == "crm.deal.add: PERMANENTERROR: \ud83d"
    assert record.deliver(portal, run) == "crm.deal.add: PERMANENTERROR: \ud83d"
    assert len(portal.calls) == 2
