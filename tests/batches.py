"""SQS batches for reactions, and the SQS that takes their records back."""

import asyncio
from types import SimpleNamespace

from relay.change import Change
from relay.event import Event
from relay.reaction import Reaction, reaction
from tests.dynamo import Dynamo


class Sqs:
    """An SQS that keeps what it is asked: `sent` dead letters and `hidden` records."""

    def __init__(self):
        self.sent, self.hidden, self.failing = [], [], None
        self.table = Dynamo()

    def _fail(self):
        if self.failing:
            raise self.failing

    def send_message(self, **message):
        """Take a message for the dead-letter queue."""
        self._fail()
        self.sent.append(message)

    def get_queue_attributes(self, **_):
        """Say that few records are in flight."""
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": "0"}}

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: ARG002, N803
        """Take the time after which each record comes back."""
        self._fail()
        self.hidden += Entries
        return {}


def batch_of(*bodies):
    """Return an SQS batch with these bodies, raw as SNS delivers them."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"r{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
            for number, body in enumerate(bodies)
        ]
    }


def context_of(seconds=60.0):
    """Return a Lambda context with this time left."""
    return SimpleNamespace(get_remaining_time_in_millis=lambda: seconds * 1000)


def handle(reaction, *bodies, seconds=60.0):
    """Return the ids of the records that a reaction's handler gives back."""
    answer = reaction.handler(batch_of(*bodies), context_of(seconds))
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def noting(received):
    """Return a reaction that notes what it gets."""

    @reaction
    async def note(change: Change) -> None:
        """Note it."""
        await asyncio.sleep(0.01 / change.version)
        received.append(change)

    return note


def raising(error):
    """Return a reaction that raises."""

    async def fails(_event: Event) -> None:
        """Fail."""
        raise error

    return Reaction(fails)
