"""The state of the relay and of the portal, read and changed from outside."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from local.aws import LocalAws
from local.demo import DemoPortal
from local.ordeal import listing
from local.ordeal.judge import DeadLetter, DealState, Effects
from local.stack import Stack
from relay.change import Change
from relay.state_table import brake_key, key, sweep_key
from relay.tracking.brake import Brake
from relay.tracking.row import ITEM, TOMBSTONE, Row

PORTAL = "main"


class RelayInspection:
    """A deployed stack through its AWS resources."""

    def __init__(self, aws: LocalAws, stack: Stack) -> None:
        self._resources = stack.resources
        self._sqs, self._dynamodb = aws.client("sqs"), aws.client("dynamodb")
        self._lambda, self._streams = aws.client("lambda"), aws.client("dynamodbstreams")
        # Dead letters are for operators, and nothing receives from the example rule's queue.
        self._queues = [
            name
            for name in self._resources
            if name == "SpillQueue"
            or (name.endswith("Queue") and f"{name[:-5]}Function" in self._resources)
        ]

    def busy_queues(self) -> dict[str, int]:
        """Return the queues that are not empty, with the number of their messages."""
        numbers = {name: self.messages(name) for name in self._queues}
        return {name: number for name, number in numbers.items() if number}

    def messages(self, queue: str) -> int:
        """Return the number of a queue's messages, waiting or being handled."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._sqs.get_queue_attributes(
            QueueUrl=self._resources[queue], AttributeNames=names
        )["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def mirror(self) -> dict[str, DealState]:
        """Return the mirror's state of each deal; raises AssertionError for an unreadable one."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._resources["Mirror"],
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"{PORTAL}/deal"}},
            ConsistentRead=True,
        )
        rows = [Row.of(item) for page in pages for item in page["Items"]]
        unreadable = [row.key.id for row in rows if row.kind not in {ITEM, TOMBSTONE}]
        if unreadable:
            raise AssertionError(f"deals {unreadable} are marked unreadable")
        return {str(row.key.id): DealState(row.seq, row.form) for row in rows}

    @contextmanager
    def brake_released(self) -> Iterator[None]:
        """Release the brake meanwhile: items disappear here on purpose."""
        row_key, table = key(brake_key(PORTAL)), self._resources["StateTable"]
        before = self._dynamodb.get_item(TableName=table, Key=row_key).get("Item")
        Brake(self._dynamodb, table).release(PORTAL, time.time())
        try:
            yield
        finally:
            self._dynamodb.delete_item(TableName=table, Key=row_key)
            if before:
                self._dynamodb.put_item(TableName=table, Item=before)

    def sweep(self) -> Any:
        """Run a sweep; return its answer for the portal, `done` where it has finished."""
        answer = self._lambda.invoke(FunctionName=self._resources["SweepFunction"])
        return json.loads(answer["Payload"].read()).get(PORTAL)

    def make_audit_due(self) -> None:
        """Make the next sweep compare all ids, as it does once a day."""
        row_key, table = key(sweep_key(PORTAL)), self._resources["StateTable"]
        row = self._dynamodb.get_item(TableName=table, Key=row_key)["Item"]
        document = json.loads(row["document"]["S"])
        for entity in document["kinds"].values():
            entity["audited_at"] = 0
        self._dynamodb.update_item(
            TableName=table,
            Key=row_key,
            UpdateExpression="SET document = :document",
            ExpressionAttributeValues={":document": {"S": json.dumps(document)}},
        )

    def deliver_again(self, change: Change) -> None:
        """Send a Change to the reaction's queue once more, as SQS may deliver it twice."""
        self._sqs.send_message(
            QueueUrl=self._resources["FollowUpQueue"], MessageBody=change.to_json()
        )

    def announce_again(self, amount: int) -> None:
        """Invoke announce with the newest records of the mirror's stream once more."""
        table = self._dynamodb.describe_table(TableName=self._resources["Mirror"])["Table"]
        records = [
            record for record in self._stream(table["LatestStreamArn"]) if _is_announced(record)
        ]
        payload = json.dumps({"Records": records[-amount:]}, default=str)
        answer = self._lambda.invoke(
            FunctionName=self._resources["AnnounceFunction"], Payload=payload.encode()
        )
        result = json.loads(answer["Payload"].read())
        if result != {"batchItemFailures": []}:
            raise AssertionError(f"announce did not take its records again: {result}")

    def _stream(self, arn: str) -> Iterator[Any]:
        shards = self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        for shard in shards:
            at = self._streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while at:
                page = self._streams.get_records(ShardIterator=at)
                yield from page["Records"]
                at = page.get("NextShardIterator") if page["Records"] else None

    def dead_letters(self, changes: Iterable[str], reaction: str = "FollowUp") -> list[DeadLetter]:
        """Receive and delete a reaction's dead letters of these Changes; return them."""
        wanted, found = set(changes), []
        url = self._resources[f"{reaction}DeadLetters"]
        while batch := self._sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1
        ).get("Messages"):
            for message in batch:
                body = json.loads(message["Body"])
                if body.get("id") in wanted:
                    found.append(_letter(body, message.get("MessageAttributes", {})))
                    self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found


def _is_announced(record: Any) -> bool:
    """Return whether the stream's filter lets a record through."""
    return bool(record["dynamodb"].get("NewImage", {}).get("quiet") == {"S": "no"})


def _letter(body: Any, attributes: Any) -> DeadLetter:
    texts = {name: value["StringValue"] for name, value in attributes.items()}
    return DeadLetter(
        change_id=body["id"],
        deal=body["data"]["id"],
        method=texts.get("method", ""),
        undecided=texts.get("code") == "UNDECIDED",
        reason=texts.get("reason", "received too often"),
    )


def last_event_came(portal: DemoPortal) -> set[str]:
    """Return the ids of the deals whose newest event of the last 1,000 was answered 200."""
    newest: dict[str, tuple[int, str]] = {}
    for event in portal.admin("events?limit=1000", "GET"):
        older = newest.get(event["subject"], (0, ""))
        newest[event["subject"]] = max(older, (event["number"], event["outcome"]))
    return {
        subject.removeprefix("deal/")
        for subject, (_, outcome) in newest.items()
        if subject.startswith("deal/") and outcome == "200"
    }


def effects(portal: DemoPortal, deals: Iterable[str]) -> Effects:
    """Return the reaction's tasks, and the comments of `deals` and of deals with tasks."""
    tasks: dict[str, list[str]] = defaultdict(list)
    titles: dict[str, list[str]] = defaultdict(list)
    for task in listing.tasks(portal):
        for link in task.get("ufCrmTask") or ():
            if link.startswith("D_"):
                tasks[link.removeprefix("D_")].append(task["id"])
                titles[link.removeprefix("D_")].append(task["title"])
    comments = {}
    for deal in {*deals, *tasks}:
        entity = {"ENTITY_TYPE": "deal", "ENTITY_ID": deal}
        listed = portal.call("crm.timeline.comment.list", filter=entity)
        comments[deal] = [one["COMMENT"] for one in listed]
    return Effects(tasks=tasks, titles=titles, comments=comments)
