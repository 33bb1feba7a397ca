"""A queue behind a topic that goes with the command that made it."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

KEPT_SECONDS = 300  # of a message: what nobody reads holds no one's data for longer
HIDDEN_SECONDS = 300  # of a message that is being handled
TOUCH_SECONDS = 600.0  # a queue that is in use is touched so often
LEFT_SECONDS = 3600.0  # one that was not for so long was left behind by a killed command
PAGE = 10


class TemporaryQueue:
    """Gets what a topic publishes from now on, until it is closed.

    `name` is its name's beginning, `policy` a filter policy on bodies, which AWS may take minutes
    to obey.
    """

    def __init__(
        self, sqs: Any, sns: Any, topic: str, name: str, policy: Mapping[str, object] | None = None
    ) -> None:
        self._sqs, self._sns = sqs, sns
        self.url: str = sqs.create_queue(
            QueueName=name, Attributes={"MessageRetentionPeriod": str(KEPT_SECONDS)}
        )["QueueUrl"]
        asked = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self._arn = asked["Attributes"]["QueueArn"]
        self._policy = let_in(topic, self._arn)
        self._touch()
        attributes = {"RawMessageDelivery": "true"}
        if policy:
            attributes |= {"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(policy)}
        self._subscription: str = sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=self._arn,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the queue and its subscription."""
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sqs.delete_queue(QueueUrl=self.url)

    def messages(self, wait_seconds: int) -> list[dict[str, Any]]:
        """Return some messages, hidden; wait for the first so long."""
        if time.monotonic() - self._touched > TOUCH_SECONDS:
            self._touch()
        found: list[dict[str, Any]] = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=PAGE,
            WaitTimeSeconds=wait_seconds,
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])
        return found

    def delete(self, message: Mapping[str, Any]) -> None:
        """Delete a message."""
        self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def _touch(self) -> None:
        """Set the policy anew, which SQS notes as the time of the last modification."""
        self._sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": self._policy})
        self._touched = time.monotonic()


def remove_left(sqs: Any, sns: Any, topic: str, prefix: str) -> None:
    """Delete the queues whose command was killed, with their subscriptions."""
    for url in sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", []):
        names = ["QueueArn", "LastModifiedTimestamp"]
        about = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        if time.time() - float(about["LastModifiedTimestamp"]) < LEFT_SECONDS:
            continue
        for subscription in _subscriptions(sns, topic):
            if subscription["Endpoint"] == about["QueueArn"]:
                sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        sqs.delete_queue(QueueUrl=url)


def _subscriptions(sns: Any, topic: str) -> Iterator[dict[str, str]]:
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic):
        yield from page["Subscriptions"]


def let_in(topic: str, queue: str) -> str:
    """Return the queue policy that lets a topic send to a queue, as JSON."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
