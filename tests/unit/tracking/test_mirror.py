"""The table of last known states: conflicts, pages, rows that DynamoDB refuses."""

import asyncio
import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from relay.errors import (
    StateError,
)
from relay.tracking import wiring
from relay.tracking.mirror import Mirror, needs_another_reading
from relay.tracking.row import ITEM, TOMBSTONE, UNREADABLE, RowHead
from relay.tracking.steps import Step, StepLog
from tests.tracking_aws import KEY, OLD, row
from tests.tracking_queues import URL


@pytest.mark.parametrize(
    "trouble",
    [
        ConnectionError("away"),
        ClientError({"Error": {"Code": "ThrottlingException"}}, "BatchGetItem"),
    ],
)
def test_hints_wait_while_dynamodb_is_away(relay, trouble):
    """While the mirror can't be read or written, hints wait, and the Change comes afterwards."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    relay.dynamo.trouble = trouble
    assert relay.settle() == []
    assert relay.queues.bodies("dead") == []
    relay.dynamo.trouble = None
    assert len(relay.settle()) == 1


def validation_error():
    """Return what DynamoDB answers to a row that it never takes."""
    return ClientError({"Error": {"Code": "ValidationException"}}, "PutItem")


def test_a_key_that_the_table_refuses_is_found_in_its_batch(relay):
    """Of 100 keys the invalid one is dead-lettered, and the other items are tracked."""
    get = relay.dynamo.batch_get_item

    def strict(*, RequestItems):  # noqa: N803
        if any(key["id"]["N"] == "63" for key in RequestItems.get("Mirror", {}).get("Keys", [])):
            raise validation_error()
        return get(RequestItems=RequestItems)

    relay.dynamo.batch_get_item = strict
    for number in range(1, 101):
        relay.portal.put(2, number, title="a")
        relay.event(number, "add")
    assert len(relay.settle()) == 99
    assert [json.loads(body)["data"]["id"] for body in relay.queues.bodies("dead")] == ["63"]
    assert relay.queues.bodies("track") == []


def test_a_row_that_the_table_refuses_is_dead_lettered(relay):
    """An item whose row DynamoDB refuses is dead-lettered as a RowError."""
    put = relay.dynamo.put_item

    def strict(*, Item, **options):  # noqa: N803
        if Item.get("id") == {"N": "1"}:
            raise validation_error()
        put(Item=Item, **options)

    relay.dynamo.put_item = strict
    for number in (1, 2):
        relay.portal.put(2, number, title="a")
        relay.event(number, "add")
    assert [one["subject"] for one in relay.settle()] == ["deal/2"]
    (options,) = [options for _, options in relay.queues.messages[URL + "dead"].values()]
    assert options["MessageAttributes"]["error"]["StringValue"] == "RowError"


def test_a_table_without_capacity_is_not_asked_again_for_halves():
    """A throttled request costs its keys once; only an invalid key is looked for by halving."""

    class Throttled:
        calls = 0

        def batch_get_item(self, **_):
            self.calls += 1
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "BatchGetItem")

    client = Throttled()
    keys = [KEY._replace(id=number) for number in range(1, 9)]
    answers = asyncio.run(Mirror(client, "Mirror").bases(keys))
    assert client.calls == 1
    assert all(isinstance(answers[key], ClientError) for key in keys)


def test_unprocessed_keys_are_requested_once_more(sleeps):
    """Keys without capacity are requested up to eight times, each after twice the wait."""

    class Busy:
        calls = 0

        def batch_get_item(self, *, RequestItems):  # noqa: N803
            self.calls += 1
            if self.calls == 3:
                return {"Responses": {}}
            return {"Responses": {}, "UnprocessedKeys": RequestItems}

    client = Busy()
    assert asyncio.run(Mirror(client, "Mirror").bases([KEY])) == {KEY: RowHead()}
    assert client.calls == 3
    assert sleeps == [0.05, 0.1]
    (error,) = asyncio.run(Mirror(client, "Mirror").bases([KEY])).values()
    assert isinstance(error, StateError)
    with pytest.raises(StateError):
        asyncio.run(Mirror(client, "Mirror").heads([KEY]))


@pytest.mark.parametrize(("method", "consistent"), [("bases", True), ("heads", False)])
def test_a_reading_starts_from_the_newest_row(method, consistent):
    """The rows that readings start from are read consistently; what a sweep compares need not."""

    class Client:
        def batch_get_item(self, *, RequestItems):  # noqa: N803
            assert RequestItems["Mirror"]["ConsistentRead"] is consistent
            return {"Responses": {}}

    rows = asyncio.run(getattr(Mirror(Client(), "Mirror"), method)([KEY]))
    assert not any(isinstance(row, Exception) for row in rows.values())


def test_a_range_is_read_page_by_page():
    """A query is continued where DynamoDB stopped."""

    class Paged:
        def query(self, **ask):
            item = {"pk": {"S": "main/deal"}, "id": {"N": "1"}, "kind": {"S": ITEM},
                    "seq": {"N": "1"}, "born": {"S": "b"}, "read_at": {"N": "1"}}  # fmt: skip
            if "ExclusiveStartKey" in ask:
                return {"Items": [item | {"id": {"N": "2"}}]}
            return {"Items": [item], "LastEvaluatedKey": {"id": {"N": "1"}}}

    async def pages():
        return [page async for page in Mirror(Paged(), "Mirror").range("main", "deal", 0, None)]

    assert [[key.id for key in page] for page in asyncio.run(pages())] == [[1], [2]]


def test_a_conflict_is_settled_by_who_read_later():
    """A conflict ends if the stored row is of a later reading or has the same content."""
    read = row(seq=2, text='{"title":"b"}')
    assert not needs_another_reading(row(seq=3), 1, read, added=False)
    assert not needs_another_reading(row(seq=2, text='{"title":"b"}'), 1, read, added=False)
    assert needs_another_reading(row(seq=2), 1, read, added=False)
    gone = row(seq=2, kind=TOMBSTONE, text="")
    assert not needs_another_reading(gone, 1, gone, added=False)
    unreadable = row(seq=2, kind=UNREADABLE, text="")
    assert needs_another_reading(gone, 1, unreadable, added=False)
    assert not needs_another_reading(row(seq=2, kind=UNREADABLE), 1, unreadable, added=False)
    assert needs_another_reading(gone, 1, replace(read, text=""), added=False)
    assert needs_another_reading(row(seq=2, format=0, text=read.text), 1, read, added=False)


def test_a_conflict_is_no_end_for_a_reading_with_untold_steps():
    """A reader that alone saw a move reads once more, though the content is the same."""
    step = Step(7, "WON", 0, "2026-03-01T09:00:00Z")
    stored = row(seq=2, text="{}")
    read = replace(stored, steps=(step,))
    assert needs_another_reading(stored, 1, read, added=False)
    knows = replace(stored, step_log=StepLog(6, (7,)))
    assert not needs_another_reading(knows, 1, read, added=False)
    assert not needs_another_reading(row(seq=3, text="{}"), 1, read, added=False)
    with_rows = replace(stored, extra='{"productRows":[]}')
    assert needs_another_reading(stored, 1, with_rows, added=False)


def test_an_addition_yields_to_no_row_that_is_open():
    """An ADD event's reading is repeated until it closes the row that another reading opened."""
    for seq in (1, 2, 3):
        assert needs_another_reading(row(seq=seq, open=True), 0, row(), added=True)
    assert not needs_another_reading(row(), 0, row(), added=True)
    gone = row(kind=TOMBSTONE, text="")
    assert not needs_another_reading(row(seq=2, open=True), 0, gone, added=True)
    assert not needs_another_reading(row(open=True), 0, row(), added=False)


def test_a_put_that_fails_returns_its_hint_alone(relay):
    """A put that DynamoDB refuses for now returns its hint, and the other item is announced."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.portal.put(2, 2, title="a")
    put = relay.dynamo.put_item

    def failing(*, Item, **options):  # noqa: N803
        if Item["id"]["N"] == "1":
            raise ClientError({"Error": {"Code": "Throttled"}}, "PutItem")
        put(Item=Item, **options)

    relay.dynamo.put_item = failing
    relay.event(1, "add")
    relay.event(2, "add")
    assert [one["subject"] for one in relay.settle()] == ["deal/2"]


def test_a_forbidden_item_is_marked_under_the_same_rule(relay):
    """The mark of an unreadable item is put under the same condition as any row."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    conflict = wiring.mirror().put_one(row(seq=6, kind=UNREADABLE))
    assert conflict.seq == 1
    assert wiring.mirror().put_one(row(seq=2, kind=UNREADABLE)) is None
    assert relay.dynamo.mirror["main/deal", 1]["kind"] == {"S": UNREADABLE}


def test_an_item_that_was_never_readable_gets_a_row(relay):
    """An item that may not be read from the start is put as unreadable, and its hint is done."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.portal.forbidden.add((2, 1))
    relay.event(1)
    assert relay.settle() == []
    assert relay.queues.bodies("track") == []
    assert relay.dynamo.mirror["main/deal", 1]["kind"] == {"S": UNREADABLE}


def test_an_item_is_announced_when_it_can_be_read_for_the_first_time(relay):
    """An item that came while a right was lost is an addition, found by whatever hint."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 2, title="b")
    relay.portal.forbidden |= {(2, 1), (2, 2)}
    for number, action in ((1, "update"), (2, "add"), (2, "update")):
        relay.event(number, action)
        assert relay.settle() == []
    relay.portal.forbidden.clear()
    with relay.document() as document:
        document.kinds["deal"].audited_at = 0  # a day passes
    relay.sweep()
    assert [(one["type"], one["subject"]) for one in relay.settle()] == [
        ("com.bitrix24.deal.added", "deal/2")
    ]


def test_an_item_that_was_hidden_before_the_first_filling_is_no_addition(relay):
    """What is read for the first time after a right came is not new if it was there before."""
    relay.portal.put(2, 1, title="a")
    relay.portal.forbidden.add((2, 1))
    for _ in range(2):
        relay.event(1)
        relay.settle()
    relay.baseline()
    relay.portal.forbidden.clear()
    relay.event(1)
    assert relay.settle() == []


@pytest.mark.usefixtures("relay")
def test_a_row_that_was_removed_by_hand_meanwhile_is_read_again():
    """A put on top of a row that was removed fails with an error that waits."""
    assert isinstance(wiring.mirror().put_one(row(seq=6)), StateError)
