"""The table: conflicts, throttling, pages."""

import asyncio
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from relay.errors import StateError
from relay.tracking import mirror as mirror_module
from relay.tracking import refresh as look_module
from relay.tracking import wiring
from relay.tracking.hint import Hint
from relay.tracking.mirror import Mirror
from relay.tracking.refresh import Rules
from relay.tracking.row import ITEM, TOMBSTONE, UNREADABLE, Base, Reading
from tests.tracking_aws import KEY, OLD, URL, row


def test_a_second_conflict_comes_back(relay, monkeypatch):
    """Should two looks not be enough, the hint is kept."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()

    def meddle(_look, base):
        return row(seq=base.seq + 1, text='{"title":"z"}')

    monkeypatch.setattr(wiring.mirror(), "put_one", meddle)
    monkeypatch.setattr(look_module, "verdict", lambda *_: "look again")
    relay.event(1)
    relay.track_all()
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_unprocessed_keys_are_asked_for_again(monkeypatch):
    """What DynamoDB had no capacity for is repeated, and not for ever."""
    monkeypatch.setattr(mirror_module.time, "sleep", lambda _seconds: None)

    class Busy:
        calls = 0

        def batch_get_item(self, *, RequestItems):  # noqa: N803
            self.calls += 1
            if self.calls == 3:
                return {"Responses": {}}
            return {"Responses": {}, "UnprocessedKeys": RequestItems}

    client = Busy()
    assert asyncio.run(Mirror(client, "Mirror").bases([KEY])) == {KEY: Base()}
    assert client.calls == 3
    (error,) = asyncio.run(Mirror(client, "Mirror").bases([KEY])).values()
    assert isinstance(error, StateError)
    with pytest.raises(StateError):
        asyncio.run(Mirror(client, "Mirror").known([KEY]))


def test_a_range_is_read_page_by_page():
    """A query goes on where DynamoDB stopped."""

    class Paged:
        def query(self, **ask):
            item = {"pk": {"S": "main/deal"}, "id": {"N": "1"}, "kind": {"S": ITEM},
                    "updated": {"S": ""}, "read_at": {"N": "1"}}  # fmt: skip
            if "ExclusiveStartKey" in ask:
                return {"Items": [item | {"id": {"N": "2"}}]}
            return {"Items": [item], "LastEvaluatedKey": {"id": {"N": "1"}}}

    async def pages():
        return [page async for page in Mirror(Paged(), "Mirror").range("main", "deal", 0, None)]

    assert [[key.id for key in page] for page in asyncio.run(pages())] == [[1], [2]]


def test_rules_without_a_counter_count_nothing(relay):
    """Who looks without metrics needs none."""
    relay.portal.put(2, 1, title="a")
    rules = Rules(baselined=lambda _entity: True, allow=lambda wanted: wanted)
    failed = asyncio.run(look_module.look({KEY: Hint(KEY)}, relay.portal, wiring.mirror(), rules))
    assert failed == {}


def test_a_conflict_is_settled_by_who_read_later():
    """A later reading, or the same content, ends it; else one more look."""
    look = Reading(
        key=KEY, kind=ITEM, text='{"title":"b"}', updated="", read_at=1.0, via="event", quiet=False
    )
    assert mirror_module.verdict(row(seq=3), 1, look) == "done"
    assert mirror_module.verdict(row(seq=2, text='{"title":"b"}'), 1, look) == "done"
    assert mirror_module.verdict(row(seq=2), 1, look) == "look again"
    gone = row(seq=2, kind=TOMBSTONE, text="")
    assert mirror_module.verdict(gone, 1, replace(look, kind=TOMBSTONE, text="")) == "done"
    assert mirror_module.verdict(gone, 1, replace(look, kind=UNREADABLE, text="")) == "look again"
    assert mirror_module.verdict(gone, 1, replace(look, text="")) == "look again"
    assert mirror_module.verdict(row(seq=2, format=0, text=look.text), 1, look) == "look again"


def test_an_addition_yields_to_no_row_that_is_open():
    """An ADD event's reading looks again until its own put announces the item."""
    look = Reading(
        key=KEY, kind=ITEM, text='{"title":"a"}', updated="", read_at=1.0, via="event",
        quiet=False, added=True,
    )  # fmt: skip
    for seq in (1, 2, 3):
        assert mirror_module.verdict(row(seq=seq, open=True), 0, look) == "look again"
    assert mirror_module.verdict(row(seq=1), 0, look) == "done"
    gone = replace(look, kind=TOMBSTONE, text="")
    assert mirror_module.verdict(row(seq=2, open=True), 0, gone) == "done"
    later = replace(look, added=False)
    assert mirror_module.verdict(row(seq=1, open=True), 0, later) == "done"


def test_a_put_that_fails_returns_its_hint_alone(relay, monkeypatch):
    """A put that DynamoDB refuses for a reason of its own is tried again later."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.portal.put(2, 2, title="a")
    put = relay.dynamo.put_item

    def failing(*, Item, **options):  # noqa: N803
        if Item["id"]["N"] == "1":
            raise ClientError({"Error": {"Code": "Throttled"}}, "PutItem")
        put(Item=Item, **options)

    monkeypatch.setattr(relay.dynamo, "put_item", failing)
    relay.event(1, "add")
    relay.event(2, "add")
    assert [one["subject"] for one in relay.settle()] == ["deal/2"]
    monkeypatch.undo()
