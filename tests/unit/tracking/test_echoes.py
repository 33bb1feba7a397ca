"""Announce marks what reactions wrote, and waits where it can't know."""

import time

from botocore.exceptions import EndpointConnectionError

from relay.ledger import Note, written
from tests.tracking_aws import Context

OLD = "2026-03-01T12:00:00+03:00"
LATER = "2026-03-01T13:00:00+03:00"


def test_what_a_reaction_wrote_is_announced_as_the_relays(relay):
    """The note of a write makes its change an echo; a person's change beside it is none."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    its = written("crm.item.update", {"entityTypeId": 2, "id": 1, "fields": {"title": "b"}})
    update = Note("main", its, "tidy", "token", 1, time.time()).make("State")["Update"]
    names, values = update["ExpressionAttributeNames"], update["ExpressionAttributeValues"]
    key = update["Key"]["pk"]["S"]
    relay.dynamo.state[key] = {"pk": {"S": key}, names["#n0"]: values[":n0"]}
    for number in (1, 2):
        relay.portal.put(2, number, title="b", updatedTime=LATER, updatedBy=1)
        relay.event(number)
    origins = {one["subject"]: one["data"]["origin"] for one in relay.settle()}
    assert origins == {"deal/1": "relay", "deal/2": "portal"}


def test_without_the_ledger_nothing_is_announced(relay):
    """An echo taken for a person's change would begin a loop: the stream comes again."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b", updatedTime=LATER)
    relay.event(1)
    relay.track_all()
    records = relay.dynamo.stream[relay.streamed :]
    relay.dynamo.trouble = EndpointConnectionError(endpoint_url="https://dynamodb")
    answer = relay.announce.handler({"Records": records}, Context)
    first = records[0]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": first}]}
    assert not relay.topic.published
