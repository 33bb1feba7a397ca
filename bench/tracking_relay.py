"""Track and sweep in this process, with a portal, queues and tables in processes of their own."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import batched
from types import SimpleNamespace
from typing import Any, NamedTuple

from local.aws import LocalAws
from local.demo import DemoPortal

os.environ |= {
    "POWERTOOLS_METRICS_NAMESPACE": "Relay/bench",
    "SECRETS_PREFIX": "/relay/bench",
    "MIRROR_TABLE": "Mirror",
    "STATE_TABLE": "State",
    "PORTAL_RATE": "2",
    "PORTAL_BURST": "50",
    "PORTAL_RESERVE_PERCENT": "10",
    "PARTS": "steps,products",
    "RECONCILE_DAYS": "7",
    "GRACE_SECONDS": "0",
    "SILENT_HOURS": "6",
    "ALLOW_HTTP": "true",
}

from relay import settings
from relay.aws_types import StreamRecord
from relay.event import Event
from relay.state_table import key, slots_key
from relay.tracking import sweep, track

CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 180_000)
PAUSE_SECONDS = 0.1


class Spent(NamedTuple):
    """The cost of a piece of work: requests to the portal, seconds, processor seconds."""

    requests: int
    seconds: float
    cpu: float


class TrackingRelay:
    """Track and sweep with a portal, tables, a queue and a topic."""

    def __init__(self, portal: DemoPortal, aws: LocalAws) -> None:
        self.portal, self.sqs, self.stream = portal, aws.client("sqs"), Stream(aws)
        self.queue: str = self.sqs.create_queue(QueueName="track")["QueueUrl"]
        topic = aws.client("sns").create_topic(Name="changes")["TopicArn"]
        dead = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        os.environ |= {
            "QUEUE_URL": self.queue,
            "TRACK_QUEUE_URL": self.queue,
            "DEAD_LETTERS_URL": dead,
            "CHANGES_TOPIC_ARN": topic,
            "HISTORY_TABLE": "History",
            "HISTORY_DAYS": "0",
        }
        # As after the first connect: the portal's bucket of requests is empty.
        row = {**key(slots_key("main")), "empty_at": {"N": "0"}}
        aws.client("dynamodb").put_item(TableName="State", Item=row)
        secrets = {"webhook-urls/read/main": portal.state["webhook_url"]}
        for name, value in secrets.items():
            aws.client("ssm").put_parameter(
                Name=f"/relay/bench/{name}", Value=value, Type="SecureString"
            )

    def counters(self) -> dict[str, int]:
        """Return the portal's counters of requests."""
        counters: dict[str, int] = self.portal.admin("state", "GET")["counters"]
        return counters

    def spend(self, work: Callable[[], Any]) -> Spent:
        """Do some work; return its cost."""
        before, began, cpu = self.counters()["requests"], time.monotonic(), time.process_time()
        work()
        cpu, seconds = time.process_time() - cpu, time.monotonic() - began
        return Spent(self.counters()["requests"] - before, seconds, cpu)

    def put(self, number: int) -> None:
        """Put a row of the mirror so often into another table, with boto3 alone."""
        client = settings.client("dynamodb")
        rows = client.query(
            TableName="Mirror",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "main/deal"}},
            Limit=1,
        )["Items"]
        for at in range(number):
            client.put_item(TableName="Rows", Item=rows[0] | {"id": {"N": str(at)}})

    def sweep(self) -> None:
        """Run one sweep; raises RuntimeError where it does not finish."""
        answer = sweep.handler({}, CONTEXT)
        if answer != {"main": "done"}:
            raise RuntimeError(f"the sweep answered {answer}")

    def track_queue(self) -> None:
        """Let track handle its queue, all visible messages at a time, until the queue is empty."""
        while self._waiting():
            if not (records := list(self._received())):
                time.sleep(PAUSE_SECONDS)
                continue
            back = track_batch(records)
            handled = [one for one in records if one["messageId"] not in back]
            for group in batched(handled, 10, strict=False):
                self.sqs.delete_message_batch(
                    QueueUrl=self.queue,
                    Entries=[
                        {"Id": str(at), "ReceiptHandle": one["receiptHandle"]}
                        for at, one in enumerate(group)
                    ],
                )

    def _waiting(self) -> int:
        """Return the number of messages, hidden ones included."""
        return self._count("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

    def _count(self, *names: str) -> int:
        answer = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=list(names))
        return sum(int(answer["Attributes"][name]) for name in names)

    def _received(self) -> Iterator[dict[str, Any]]:
        while self._count("ApproximateNumberOfMessages"):
            answer = self.sqs.receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for message in answer.get("Messages", []):
                yield _record(message["MessageId"], message["ReceiptHandle"], message["Body"])


class Stream:
    """The tables, and the mirror's stream."""

    def __init__(self, aws: LocalAws) -> None:
        pk = {"AttributeName": "pk", "AttributeType": "S"}, {"KeyType": "HASH"}
        number = {"AttributeName": "id", "AttributeType": "N"}, {"KeyType": "RANGE"}
        text = {"AttributeName": "sk", "AttributeType": "S"}, {"KeyType": "RANGE"}
        tables = {
            "State": [pk],
            "Mirror": [pk, number],
            "Rows": [pk, number],
            "History": [pk, text],
        }
        for name, keys in tables.items():
            aws.client("dynamodb").create_table(
                TableName=name,
                AttributeDefinitions=[attribute for attribute, _ in keys],
                KeySchema=[{"AttributeName": a["AttributeName"], **kind} for a, kind in keys],
                StreamSpecification={
                    "StreamEnabled": True,
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
                BillingMode="PAY_PER_REQUEST",
            )
        self._client = aws.client("dynamodbstreams")
        arn = self._client.list_streams(TableName="Mirror")["Streams"][0]["StreamArn"]
        (shard,) = self._client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        self._at: str = self._client.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]

    def new(self) -> list[StreamRecord]:
        """Return the records since the last call that pass the template's filter."""
        records: list[StreamRecord] = []
        while True:
            page = self._client.get_records(ShardIterator=self._at)
            self._at = page["NextShardIterator"]
            records += page["Records"]
            if not page["Records"]:
                break
        return [one for one in records if one["dynamodb"]["NewImage"]["quiet"]["S"] == "no"]


def track_batch(records: list[dict[str, Any]]) -> set[str]:
    """Let track handle a batch; return the ids of the messages that come back."""
    answer = track.handler({"Records": records}, CONTEXT)
    return {one["itemIdentifier"] for one in answer["batchItemFailures"]}


def track_all(records: list[dict[str, Any]]) -> None:
    """Let track handle a batch; raises RuntimeError where a message comes back."""
    if back := track_batch(records):
        raise RuntimeError(f"{len(back)} hints of {len(records)} came back")


def _record(message_id: str, receipt: str, body: str) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": receipt,
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
    }


def events_of(ids: list[int]) -> list[dict[str, Any]]:
    """Return an SQS record with an update event for each deal."""
    return [
        _record(
            str(number),
            str(number),
            Event(
                event_id=str(number),
                portal="main",
                name="ONCRMDEALUPDATE",
                time=datetime.now(UTC).isoformat(),
                entity="deal",
                action="update",
                entity_type_id=2,
                id=str(number),
                sent_at=None,
                domain=None,
                member_id=None,
                handler_id=None,
                payload={"FIELDS": {"ID": str(number)}},
            ).to_json(),
        )
        for number in ids
    ]
