"""`make redrive`, killed again and again: each record's writes are in the portal once."""

from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from local.portal.server import PortalServer
from ops.letter import Chosen
from ops.redrive import Redrive
from ops.stopping import Stop
from relay import settings
from relay.change import Change
from relay.portal import Portal
from relay.portal.webhook_state import forget
from relay.reaction import reaction
from tests.samples import change_of

LETTERS = 28  # a reaction's writes to one item within an hour are limited to 30
DEAL = "2"
SECRET = "s3cr3ts3cr3ts3cr"


@reaction
async def tell(change: Change, portal: Portal) -> None:
    """Write the change's id below the deal."""
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": change.id, "COMMENT": change.change_id}
    await portal.call("crm.timeline.comment.add", fields=fields)


@pytest.fixture
def queues(monkeypatch):
    """Return the queues of a reaction in a stack of its own, with a portal."""
    forget()
    settings.forget()
    with PortalServer(secret=SECRET, limits=False) as server, mock_aws():
        sqs = boto3.client("sqs")
        urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("queue", "dead")]
        boto3.client("ssm").put_parameter(
            Name="/relay/test/webhook-urls/write/main",
            Value=server.webhook_url,
            Type="SecureString",
        )
        boto3.client("dynamodb").create_table(
            TableName="State",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for name, value in {
            "ALLOW_HTTP": "true",
            "STATE_TABLE": "State",
            "PORTAL_BURST": "50",
            "PORTAL_RATE": "500",
            "PORTAL_RESERVE_PERCENT": "10",
            "QUEUE_URL": urls[0],
            "DEAD_LETTERS_URL": urls[1],
        }.items():
            monkeypatch.setenv(name, value)
        yield SimpleNamespace(sqs=sqs, live=urls[0], dead=urls[1], portal=server.portal)
    settings.forget()
    forget()


def redrive(queues, killed_at=None):
    """Send the dead letters back; be killed before the n-th request to SQS."""
    requests = []

    def count(**_):
        requests.append(1)
        if len(requests) == killed_at:
            raise KeyboardInterrupt

    client = boto3.client("sqs")
    client.meta.events.register("before-call.sqs", count)
    audit = SimpleNamespace(try_to_note=lambda *_: None)
    resources = {"TellDeadLetters": queues.dead, "TellQueue": queues.live}
    Redrive(lambda _service: client, resources, Chosen(), 0, Stop(), audit).run(
        {"Tell": queues.dead}
    )


def handle(queues):
    """Run the reaction for all that is in its queue; return how many records that were."""
    number = 0
    while found := queues.sqs.receive_message(
        QueueUrl=queues.live,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    ).get("Messages"):
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
            }
            for message in found
        ]
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 20_000)
        assert tell.handler({"Records": records}, context) == {"batchItemFailures": []}
        for message in found:
            queues.sqs.delete_message(QueueUrl=queues.live, ReceiptHandle=message["ReceiptHandle"])
        number += len(found)
    return number


def test_a_killed_redrive_and_its_repeats_write_once(queues):
    """Killed between a send and its delete, ten records come twice; their writes do not."""
    ids = [f"main.deal.{DEAL}.b.{version}" for version in range(2, 2 + LETTERS)]
    for version, change_id in enumerate(ids, 2):
        change = replace(change_of("deal/1", id=DEAL), change_id=change_id, version=version)
        queues.sqs.send_message(QueueUrl=queues.dead, MessageBody=change.to_json())
    handled = 0
    for killed_at in (3, 4, 4, 7):
        with pytest.raises(KeyboardInterrupt):
            redrive(queues, killed_at)
        handled += handle(queues)
    redrive(queues)
    handled += handle(queues)
    assert handled > LETTERS  # some came twice
    comments = [row["comment"] for row in queues.portal.comments.walk()]
    assert sorted(comments) == sorted(ids)
