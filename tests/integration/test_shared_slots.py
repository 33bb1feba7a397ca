"""One limit for everybody: slots are handed out in order, and never more than the bucket takes."""

import random
from itertools import pairwise
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from relay.errors import TransientError
from relay.portal import Portal
from relay.portal.shared_slots import SharedSlots
from relay.portal.slots import OwnSlots, Pace
from tests.unit.portal.conftest import clock, reply, webhook, wire

__all__ = ["clock", "webhook", "wire"]

PACE = Pace(burst=50, rate=2, reserve=0)  # usable: 50 less 2.5 s at 2/s = 45


class Bucket:
    """The portal's own leaky bucket."""

    def __init__(self, level=0.0, burst=50, rate=2):
        """Begin with a level."""
        self.level, self.at, self.burst, self.rate = level, None, burst, rate

    def takes(self, now):
        """Say whether a request at this time is accepted."""
        elapsed = now - (self.at if self.at is not None else now)
        self.level = max(self.level - elapsed * self.rate, 0) + 1
        self.at = now
        return self.level <= self.burst


@pytest.fixture(scope="module")
def dynamodb():
    """Return a DynamoDB client and a table."""
    with mock_aws():
        client = boto3.client("dynamodb", "eu-central-1")
        client.create_table(
            TableName="limits",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture
def table(clock, dynamodb):
    """Return the table, empty, at the test's time."""
    assert clock
    dynamodb.delete_item(TableName="limits", Key={"pk": {"S": "slots#main"}})
    return Counting(dynamodb)


class Counting:
    """Counts the writes, and fails as it is told."""

    def __init__(self, client):
        """Pass on to a client."""
        self.client, self.writes, self.trouble = client, 0, None

    def update_item(self, **arguments):
        """Write, or fail."""
        self.writes += 1
        if self.trouble:
            raise self.trouble
        return self.client.update_item(**arguments)

    def row(self):
        """Return what is stored."""
        key = {"pk": {"S": "slots#main"}}
        return self.client.get_item(TableName="limits", Key=key).get("Item", {})


def copies(table, count, pace=PACE):
    """Return the slots of as many copies of a function."""
    return [SharedSlots(table, "limits", "main", pace) for _ in range(count)]


def in_time(slots, clock):
    """Reserve a slot and let the clock run until then; return when."""
    slot = max(slots.take(clock.now + 1000), clock.now)
    clock.now = slot
    return slot


def test_an_absent_row_means_a_full_bucket(table, clock):
    """Nobody knows what it holds: the burst comes when it has drained, never a 503."""
    (slots,) = copies(table, 1)
    bucket = Bucket(level=50)
    bucket.takes(clock.now - 0.5)
    bucket.level = 50
    times = [in_time(slots, clock) for _ in range(120)]
    assert all(bucket.takes(at) for at in times)
    assert times[0] - 1_000_000 == pytest.approx(3, abs=0.1)


def test_after_a_rest_the_burst_is_free_at_once(table, clock):
    """45 go at once - what a portal takes, less the margin for clocks - then two a second."""
    (slots,) = copies(table, 1)
    in_time(slots, clock)
    clock.now += 1000
    began = clock.now
    times = [slots.take(began + 1000) - began for _ in range(60)]
    assert sum(at <= 0 for at in times) == 45
    assert times[-1] == pytest.approx(7.5, abs=0.01)


@pytest.mark.parametrize(("rest", "free"), [(0.4, True), (0.6, False), (3600, False)])
def test_only_a_short_rest_counts_as_if_the_bucket_drained_on(table, clock, rest, free):
    """A bucket that has been empty for longer begins anew: idle time is not saved up."""
    (slots,) = copies(table, 1)
    in_time(slots, clock)
    empty_at = int(table.row()["empty_at"]["N"])
    clock.now = empty_at / 1000 + rest
    slots.take(clock.now + 10)
    begins = empty_at if free else round(clock.now * 1000)
    assert int(table.row()["empty_at"]["N"]) == begins + 500


def test_a_slot_at_the_last_moment_is_taken(table, clock):
    """The latest time is one at which a request may still go."""
    (slots,) = copies(table, 1)
    in_time(slots, clock)
    clock.now += 1000
    while True:
        slot = slots.take(clock.now + 10)
        if slot > clock.now:
            break
    with pytest.raises(TransientError, match="NO_SLOT"):
        slots.take(slot + 0.499)
    assert slots.take(slot + 0.5) == pytest.approx(slot + 0.5)


def test_a_slot_costs_one_write_under_load_and_two_after_a_rest(table, clock):
    """No polling."""
    (slots,) = copies(table, 1)
    in_time(slots, clock)
    clock.now += 1000
    before = table.writes
    slots.take(clock.now + 10)
    assert table.writes - before == 2
    slots.take(clock.now + 10)
    assert table.writes - before == 3


@pytest.mark.parametrize("seed", range(5))
def test_copies_whose_clocks_differ_by_two_seconds_do_not_overrun(table, clock, seed):
    """Whatever the order in which they come, the portal's own bucket is never too full."""
    chance = random.Random(seed)
    several = [(slots, chance.uniform(-1, 1)) for slots in copies(table, 6)]
    in_time(several[0][0], clock)
    true = clock.now = clock.now + chance.choice([5, 100])
    sent = []
    for _ in range(150):
        slots, wrong = chance.choice(several)
        clock.now = true + wrong
        slot = slots.take(clock.now + 1000)
        sent.append(max(slot - wrong, true))
        true += chance.choice([0, 0, 0, 0.2])
    bucket = Bucket(level=0)
    assert all(bucket.takes(at) for at in sorted(sent))


def test_copies_that_wake_up_together_each_have_a_slot(table, clock):
    """The pace may be quicker than the table: whoever loses a race finds a bucket in use."""
    first, *others = copies(table, 5, Pace(burst=2500, rate=50))
    in_time(first, clock)
    clock.now += 100
    real = table.client.update_item

    def slow(**arguments):
        clock.now += 0.05
        if "SET empty_at = :next" in arguments["UpdateExpression"] and others:
            others.pop().take(clock.now + 10)
        return real(**arguments)

    before = table.writes
    table.client = SimpleNamespace(update_item=slow)
    assert first.take(clock.now + 10) <= clock.now
    assert others == []
    assert table.writes - before == 3 * 5 - 1  # lose twice, win; the quickest wins at once


def test_slots_are_handed_out_in_order(table, clock):
    """Whoever asks first goes first, whichever copy it is."""
    several = copies(table, 4)
    slots = [several[n % 4].take(clock.now + 1000) for n in range(100)]
    assert slots == sorted(slots)
    assert len(set(slots)) == 100


def test_a_slot_after_the_functions_time_is_not_taken(table, clock):
    """The error says when to come back, and the slot is left to others."""
    (slots,) = copies(table, 1)
    for _ in range(60):
        slots.take(clock.now + 1000)
    before = table.row()["empty_at"]
    with pytest.raises(TransientError, match="NO_SLOT") as caught:
        slots.take(clock.now + 5)
    assert 25 < caught.value.retry_after < 45
    assert table.row()["empty_at"] == before


def test_the_first_request_of_all_may_be_too_late_too(table, clock):
    """The row is made, so that the bucket drains until the next one."""
    (slots,) = copies(table, 1)
    with pytest.raises(TransientError, match="NO_SLOT"):
        slots.take(clock.now + 1)
    clock.now += 60
    assert slots.take(clock.now + 1) < clock.now


def test_a_refusal_pushes_the_next_slots_back_once(table, clock, caplog):
    """Those refused together push together; each is counted, for several buckets may exist."""
    first, second = copies(table, 2)
    in_time(first, clock)
    clock.now += 1000
    for slots in (first, second, first):
        slots.refused()
    assert first.take(clock.now + 1000) - clock.now == pytest.approx(3, abs=0.1)
    for _ in range(10):
        first.take(clock.now + 1000)
    clock.now += 4
    before = int(table.row()["empty_at"]["N"])
    first.refused()
    second.refused()
    assert int(table.row()["empty_at"]["N"]) - before == 3000
    assert table.row()["refused"]["N"] == "5"
    assert "portal main refused a request" in caplog.text


def test_a_refusal_before_any_slot_counts_the_bucket_as_full(table, clock):
    """As no row does."""
    (slots,) = copies(table, 1)
    slots.refused()
    assert slots.take(clock.now + 1000) - clock.now == pytest.approx(3, abs=0.1)
    clock.now += 1
    assert table.writes == 4


THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "UpdateItem")
DOWN = EndpointConnectionError(endpoint_url="https://dynamodb.invalid")


@pytest.mark.parametrize("trouble", [THROTTLED, DOWN])
def test_without_dynamodb_each_copy_goes_on_carefully(table, clock, caplog, trouble):
    """A tenth of the rate each, not together at once; it says so, and asks again later."""
    (slots,) = copies(table, 1)
    table.trouble = trouble
    times = [in_time(slots, clock) for _ in range(5)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == pytest.approx([5] * 4)
    assert times[0] - 1_000_000 <= 5
    assert table.writes == 1
    assert caplog.text.count("DynamoDB gives no slots") == 1
    clock.now += 10
    slots.take(clock.now + 100)
    assert table.writes == 2
    table.trouble = None
    slots.refused()
    clock.now += 31
    slots.take(clock.now + 1000)
    assert "DynamoDB gives slots again" in caplog.text


def test_a_refusal_without_dynamodb_goes_carefully_too(table, clock, caplog):
    """It can't be told to the others."""
    (slots,) = copies(table, 1)
    table.trouble = DOWN
    slots.refused()
    assert "DynamoDB gives no slots" in caplog.text
    assert slots.take(clock.now + 10) >= clock.now


def test_a_copy_that_always_loses_comes_back(table, clock, monkeypatch):
    """Others were first each time; it does not try for ever."""
    (slots,) = copies(table, 1)
    old = {"empty_at": {"N": "1"}}
    monkeypatch.setattr(slots, "_update", lambda *_, **__: old)
    with pytest.raises(TransientError, match="NO_SLOT"):
        slots.take(clock.now + 1000)


def test_a_process_without_a_table_keeps_its_own_limit(clock):
    """Within the burst at once, then at the rate; a refusal counts the bucket as full."""
    slots = OwnSlots(PACE)
    times = [slots.take(clock.now + 100) - clock.now for _ in range(48)]
    assert sum(at <= 0 for at in times) == 45
    with pytest.raises(TransientError, match="NO_SLOT"):
        slots.take(clock.now)
    clock.now += 1000
    slots.refused()
    assert slots.take(clock.now + 10) - clock.now == pytest.approx(3)


@pytest.mark.parametrize(("burst", "rate"), [(50, 2), (250, 5)])
def test_the_reserve_lowers_rate_and_burst(burst, rate):
    """A tenth is left to people and other integrations."""
    pace = Pace(burst, rate)
    assert 1 / pace.step == pytest.approx(rate * 0.9)
    assert pace.room / pace.step == pytest.approx(burst * 0.9 - 2.5 * rate)


def test_a_refused_request_takes_a_new_slot_of_the_table(wire, table, clock, webhook):
    """A portal with shared slots waits for them, and tells them of a 503."""
    (slots,) = copies(table, 1)
    wire.script = [reply(503, error="QUERY_LIMIT_EXCEEDED")]
    assert clock.run(Portal(webhook, slots=slots).call("profile")) is True
    assert table.row()["refused"]["N"] == "1"
    assert wire.asked_at[1] - wire.asked_at[0] > 2
