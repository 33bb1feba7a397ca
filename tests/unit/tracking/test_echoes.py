"""Announce marks what reactions wrote, and waits where it can't know."""

from botocore.exceptions import EndpointConnectionError

from tests.ledger import rows_of, update
from tests.tracking_aws import Context

OLD = "2026-03-01T12:00:00+03:00"
LATER = "2026-03-01T13:00:00+03:00"


def noted(relay, title):
    """Let a reaction have written deal 1's title."""
    relay.dynamo.state |= rows_of(update({"title": title}, 1))


def test_what_a_reaction_wrote_is_announced_as_the_relays(relay):
    """The note of a write makes its change an echo; a person's change beside it is none."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    noted(relay, "b")
    for number in (1, 2):
        relay.portal.put(2, number, title="b", updatedTime=LATER, updatedBy=1)
        relay.event(number)
    origins = {one["subject"]: one["data"]["origin"] for one in relay.settle()}
    assert origins == {"deal/1": "relay", "deal/2": "portal"}


def test_a_new_field_of_the_portal_beside_it_leaves_an_echo_one(relay):
    """A yes/no field that every item has since then is not what somebody else changed."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    noted(relay, "b")
    relay.portal.put(2, 1, title="b", UF_CRM_NEW="0", updatedTime=LATER, updatedBy=1)
    relay.event(1)
    (change,) = relay.settle()
    assert (change["data"]["origin"], change["data"]["changed"]) == ("relay", ["title"])


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
