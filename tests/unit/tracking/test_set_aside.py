"""Records that can't be announced are kept in a queue."""

import copy
import json
import time

import pytest

from ops.letter import content_of
from tests.tracking_aws import Context
from tests.tracking_queues import URL, sns_error


def test_a_poison_record_is_set_aside_whole(relay):
    """A record with invalid content is dead-lettered whole, and the other one is published."""
    first, second = copy.deepcopy(relay.edited(2))
    first["dynamodb"]["NewImage"]["content"]["S"] = "{"
    answer = relay.announce.handler({"Records": [first, second]}, Context)
    assert answer == {"batchItemFailures": []}
    (kept,) = relay.queues.bodies("dead")
    assert json.loads(kept) == first
    assert [one["subject"] for one in relay.topic.published] == ["deal/2"]
    relay.queues.full = True
    answer = relay.announce.handler({"Records": [first, second]}, Context)
    assert answer["batchItemFailures"][0]["itemIdentifier"] == first["dynamodb"]["SequenceNumber"]


def test_a_poison_record_that_no_message_holds_is_packed(relay):
    """A record beyond SQS's limit is compressed, and `make redrive` reads it."""
    (record,) = copy.deepcopy(relay.edited())
    for image in ("OldImage", "NewImage"):
        record["dynamodb"][image]["content"] = {"S": '"' * 380_000}
    relay.announce.handler({"Records": [record]}, Context)
    ((body, _),) = relay.queues.messages[URL + "dead"].values()
    assert len(body) < 1_000_000
    assert content_of({"Body": body}) == record


@pytest.mark.parametrize(("hours", "aside"), [(22, False), (24, True)])
@pytest.mark.parametrize("away", ["topic", "ledger"])
def test_a_record_that_the_stream_would_drop_is_set_aside(relay, away, hours, aside):
    """While AWS is away, records are dead-lettered only when the stream would drop them."""
    records = copy.deepcopy(relay.edited(12))
    for one in records[:10]:
        one["dynamodb"]["ApproximateCreationDateTime"] = time.time() - hours * 3600
    if away == "topic":
        relay.topic.down = True
    else:
        relay.dynamo.trouble = sns_error("ProvisionedThroughputExceeded")
    left = records
    for _ in range(11):
        left = relay.announced_from(left)
    letters = relay.queues.messages.get(URL + "dead", {}).values()
    reasons = {options["MessageAttributes"]["reason"]["StringValue"] for _, options in letters}
    assert len(letters) == 10 * aside
    if away == "topic":
        reason = "not announced before the stream would drop it"
        assert reasons == ({reason} if aside else set())
    assert left == (records[10:] if aside else records)


def test_one_group_is_rescued_in_a_run(relay):
    """A run dead-letters one group, because each further one would wait for AWS once more."""
    records = copy.deepcopy(relay.edited(12))
    for one in records:
        one["dynamodb"]["ApproximateCreationDateTime"] = time.time() - 24 * 3600
    relay.topic.down = True
    left = relay.announced_from(records)
    assert (left, len(relay.queues.bodies("dead"))) == (records[10:], 10)
    assert relay.announced_from(left) == []
    assert len(relay.queues.bodies("dead")) == 12


def test_a_poison_record_is_set_aside_in_its_turn(relay):
    """An invalid record is dead-lettered once, after all records before it are published."""
    first, second = copy.deepcopy(relay.edited(2))
    second["dynamodb"]["NewImage"]["content"]["S"] = "[" * 100_000  # too deep for a parser
    relay.topic.down = True
    for _ in range(3):
        relay.announce.handler({"Records": [first, second]}, Context)
    assert relay.queues.bodies("dead") == []
    relay.topic.down = False
    answer = relay.announce.handler({"Records": [first, second, first]}, Context)
    assert answer == {"batchItemFailures": []}
    assert len(relay.queues.bodies("dead")) == 1
    assert len(relay.topic.published) == 2
