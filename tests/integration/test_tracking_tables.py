"""Tracking's requests against moto, and the same against the tables of the unit tests."""

import asyncio

import pytest
from moto import mock_aws

from relay.errors import LostLeaseError
from relay.tracking.brake import LEAST, Brake
from relay.tracking.event_times import MISSED, LastEvents
from relay.tracking.mirror import Mirror
from relay.tracking.row import ITEM, TOMBSTONE, UNREADABLE, Key
from relay.tracking.sweep_state import KindProgress, SweepDocument, SweepState
from tests.tracking_aws import KEY, row
from tests.tracking_dynamo import FakeDynamo
from tests.tracking_portal import make_tables

HOUR = 3600


@pytest.fixture(params=["moto", "fake"])
def client(request, monkeypatch):
    """Return moto's DynamoDB, then the fake."""
    if request.param == "fake":
        yield FakeDynamo()
        return
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield make_tables()


def read(kind=ITEM, **fields):
    """Return the row of a deal that was read."""
    return row(kind=kind, read_at=7.5, **({} if kind == ITEM else {"text": ""}) | fields)


def test_a_row_is_put_only_on_top_of_its_base(client):
    """A second put on the same base meets the stored row and leaves it."""
    mirror = Mirror(client, "Mirror")
    assert mirror.put_one(read()) is None
    (base,) = asyncio.run(mirror.bases([KEY])).values()
    assert (base.seq, base.kind, base.open) == (1, ITEM, False)
    assert mirror.put_one(read(seq=2, text='{"title":"b"}')) is None
    for late in (1, 2):
        stored = mirror.put_one(read(seq=late, text='{"title":"c"}'))
        assert (stored.seq, stored.text) == (2, '{"title":"b"}')


def test_an_unreadable_row_keeps_its_content(client):
    """The mark has the condition of any put, and an open row stays open."""
    mirror = Mirror(client, "Mirror")
    mirror.put_one(read(first_sight=True, open=True))
    (base,) = asyncio.run(mirror.bases([KEY])).values()
    assert base.open
    assert mirror.put_one(read(UNREADABLE, seq=2)) is None
    stored = mirror.put_one(read(UNREADABLE, seq=2))
    assert (stored.seq, stored.kind, stored.text, stored.open) == (
        2, UNREADABLE, '{"title":"a"}', True,
    )  # fmt: skip


def test_heads_are_read_by_keys_and_by_ranges(client):
    """A range has the rows above its low end up to its high end, of one kind of one portal."""
    mirror = Mirror(client, "Mirror")
    keys = [Key("main", "deal", number) for number in (1, 2, 3, 10)]
    for key in [*keys, Key("main", "lead", 2), Key("other", "deal", 2)]:
        kind = TOMBSTONE if key.id == 3 else ITEM
        mirror.put_one(read(kind, key=key, updated=f"t{key.id}"))

    async def between(low, high):
        pages = [page async for page in mirror.range("main", "deal", low, high)]
        return {key: row for page in pages for key, row in page.items()}

    rows = asyncio.run(between(1, 3))
    assert {key: (row.kind, row.updated, row.read_at) for key, row in rows.items()} == {
        keys[1]: (ITEM, "t2", 7.5),
        keys[2]: (TOMBSTONE, "t3", 7.5),
    }
    assert list(asyncio.run(between(2, None))) == keys[2:]
    assert asyncio.run(between(10, None)) == {}
    assert asyncio.run(mirror.heads([*keys[1:3], Key("main", "deal", 99)])) == rows


def test_one_owner_at_a_time_has_the_lease_of_a_portal(client):
    """A lease is free when it was given back or is over; only its owner saves."""
    state = SweepState(client, "State")
    document = SweepDocument({"deal": KindProgress(swept_at=7.25)})
    assert state.acquire("main", "one", 100, 10) == SweepDocument()
    assert state.acquire("main", "two", 105, 10) is None
    assert state.acquire("other", "two", 105, 10) == SweepDocument()
    state.save("main", "one", document, 120)
    assert state.acquire("main", "two", 111, 10) is None
    assert state.acquire("main", "two", 121, 10) == document
    with pytest.raises(LostLeaseError):
        state.save("main", "one", SweepDocument())
    state.save("main", "two", document)
    assert state.acquire("main", "three", 122, 10) == state.read("main") == document


def test_the_brake_trips_once_and_is_released(client):
    """An hour grants its limit; a tripped brake grants nothing, in the next hour neither."""
    brake = Brake(client, "State")
    assert brake.take("main", LEAST - 5, 0, HOUR) == LEAST - 5
    assert brake.take("main", 9, 0, HOUR + 1) == 5
    assert brake.tripped("main") == HOUR + 1
    assert brake.take("main", 1, 0, 2 * HOUR) == 0
    assert brake.release("main", 2 * HOUR)
    assert brake.tripped("main") is None
    assert brake.take("main", 99, 0, 2 * HOUR + 1) == 99
    assert not brake.release("main", 2 * HOUR)
    assert brake.take("other", LEAST, 0, HOUR) == LEAST
    assert brake.take("other", LEAST, 0, 2 * HOUR) == LEAST


def test_a_brake_that_read_an_old_count_counts_once_more(client, monkeypatch):
    """Of two functions that read the same count, the second reads again."""
    brake, read = Brake(client, "State"), client.get_item
    stale = [read(TableName="State", Key={"pk": {"S": "brake#main"}}, ConsistentRead=True)]
    assert brake.take("main", LEAST - 5, 0, HOUR) == LEAST - 5
    monkeypatch.setattr(client, "get_item", lambda **ask: stale.pop() if stale else read(**ask))
    assert brake.take("main", 9, 0, HOUR) == 5
    assert not stale


def test_times_of_events_are_kept_by_kind(client):
    """A later event replaces the time of its kind and leaves the others."""
    events = LastEvents(client, "State")
    assert events.read("main") == {}
    events.note("main", {"deal", "lead"}, 100.9)
    events.note("main", {"deal", MISSED}, 200)
    assert events.read("main") == {"deal": 200, "lead": 100, MISSED: 200}
