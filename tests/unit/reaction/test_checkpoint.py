"""relay.reaction.checkpoint: the stored row of a record."""

import pytest

from relay.errors import (
    RowError,
)
from relay.portal.fake import FakePortal
from relay.reaction import checkpoint
from relay.reaction.checkpoint import Checkpoint, Write
from relay.state_table import CHECKPOINT_SECONDS
from tests.runs import COMMENT, KEY, calls


def test_a_checkpoint_is_read_as_it_was_stored():
    """A checkpoint is read as it was stored; its row outlives queue and dead-letter queue."""
    row = Checkpoint(
        KEY, "owner", 1_000.5, 3, [Write("m", 4, "digest", 2.5, done=True, result="7")]
    )
    item = row.to_item(1_000.0)
    expires = float(item["expires"]["N"])
    assert expires - 1_000 >= 2 * 14 * 24 * 3600
    stored = Checkpoint.of(KEY, item, 1_000.0)
    names = ("key", "owner", "until", "failures")
    assert [getattr(stored, name) for name in names] == [KEY, "owner", 1_000.5, 3]
    (write,) = stored.writes
    once = (write.method, write.number, write.digest, write.at, write.done, write.result)
    assert once == ("m", 4, "digest", 2.5, True, "7")
    assert Checkpoint.of(KEY, item, expires).writes == []
    assert Checkpoint.of(KEY, item, expires - 1).failures == 3


def test_after_thirty_days_a_checkpoint_counts_as_none(record):
    """An expired checkpoint counts as none, whether DynamoDB has removed the row or not."""
    portal = FakePortal({COMMENT: 7})
    record.deliver(portal, calls(COMMENT, fields={}))
    record.offset = CHECKPOINT_SECONDS + 10
    record.deliver(portal, calls(COMMENT, fields={}))
    assert len(portal.calls) == 2


def test_a_full_row_is_an_error_before_the_next_write_is_sent(record, monkeypatch):
    """A record with more writes than a row holds ends with RowError before the next one is sent."""
    monkeypatch.setattr(checkpoint, "ROW_BYTES", 400)
    portal = FakePortal({COMMENT: 7})

    async def many(once):
        for number in range(20):
            await once.call(COMMENT, fields={"COMMENT": str(number)})

    with pytest.raises(RowError, match=r"makes \d+ writes for one record.* make fewer"):
        record.deliver(portal, many)
    sent = len(portal.calls)
    assert 0 < sent < 20
    assert sum(once.done for once in record.stored().writes) == sent
    record.offset = 200
    with pytest.raises(RowError):
        record.deliver(portal, many)
    assert len(portal.calls) == sent


def test_failures_expire_with_their_row(record):
    """A record that is sent back after a month has all its attempts."""

    async def fail(_portal):
        raise ZeroDivisionError

    for offset in (0, CHECKPOINT_SECONDS + 10):
        record.offset = offset
        with pytest.raises(ZeroDivisionError):
            record.deliver(FakePortal(), fail)
        assert record.stored().failures == 1


def test_the_writes_of_each_method_are_numbered_by_themselves():
    """A write is known by its method and its number among the writes of that method."""
    checkpoint = Checkpoint("key")
    for method in ("crm.item.add", "tasks.task.add", "crm.item.add"):
        checkpoint.add(method, "digest", 1.0)
    assert [(one.method, one.number) for one in checkpoint.writes] == [
        ("crm.item.add", 0),
        ("tasks.task.add", 0),
        ("crm.item.add", 1),
    ]


def test_the_order_of_parameters_makes_no_other_call():
    """A repeated run that builds its parameters in another order makes the same call."""
    one = {"entityTypeId": 2, "fields": {"title": "я", "opened": "Y"}}
    other = {"fields": {"opened": "Y", "title": "я"}, "entityTypeId": 2}
    assert checkpoint.digest_of(one) == checkpoint.digest_of(other)
    assert checkpoint.digest_of(one) != checkpoint.digest_of(one | {"entityTypeId": 3})
