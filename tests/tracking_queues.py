"""The queues and the Changes topic of tracking in memory."""

import itertools
import json

from botocore.exceptions import ClientError

URL = "https://sqs.test/"


def sns_error(code, message=""):
    """Return the error of a whole request to SNS."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "PublishBatch")


class FakeQueues:
    """Queues by URL: what is in them, and until when each message is hidden."""

    def __init__(self):
        self.messages = {}
        self.waits = {}
        self.numbers = itertools.count(1)
        self.full = False

    def send_message(self, *, QueueUrl, MessageBody, **options):  # noqa: N803
        """Take a message."""
        if self.full:
            raise ClientError({"Error": {"Code": "Unavailable"}}, "SendMessage")
        self.messages.setdefault(QueueUrl, {})[str(next(self.numbers))] = MessageBody, options

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Take up to ten messages."""
        if self.full:
            return {"Failed": Entries}
        assert len(Entries) <= 10
        for entry in Entries:
            self.send_message(QueueUrl=QueueUrl, MessageBody=entry["MessageBody"])
        return {}

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Note how long messages wait."""
        assert QueueUrl == URL + "track"
        assert len(Entries) <= 10
        self.waits |= {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries}
        return {}

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        """Say for how long track's queue hides what was received."""
        assert QueueUrl == URL + "track"
        return {"Attributes": dict.fromkeys(AttributeNames, "840")}

    def bodies(self, name):
        """Return what is in a queue."""
        return [body for body, _ in self.messages.get(URL + name, {}).values()]


class FakeTopic:
    """The Changes topic; publishes may fail, whole or by entry."""

    def __init__(self):
        self.published, self.groups = [], set()
        self.calls = 0
        self.fail_entries = []
        self.down = False

    def publish_batch(self, *, TopicArn, PublishBatchRequestEntries):  # noqa: N803
        """Take up to ten messages of together 256 KiB."""
        assert TopicArn == "arn:changes"
        assert len(PublishBatchRequestEntries) <= 10
        assert sum(len(e["Message"].encode()) for e in PublishBatchRequestEntries) <= 256 * 1024
        self.calls += 1
        if self.down:
            raise ClientError({"Error": {"Code": "Unavailable"}}, "PublishBatch")
        failing = self.fail_entries.pop(0) if self.fail_entries else ()
        failed = [e for e in PublishBatchRequestEntries if int(e["Id"]) in failing]
        self.groups |= {e.get("MessageGroupId") for e in PublishBatchRequestEntries}
        self.published += [
            json.loads(e["Message"]) for e in PublishBatchRequestEntries if e not in failed
        ]
        return {"Failed": failed}
