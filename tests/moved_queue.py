"""SQS, and Lambda's poller, by a clock that is moved."""

import itertools
from types import SimpleNamespace

from botocore.exceptions import EndpointConnectionError

HOUR = 3600


class Queue:
    """SQS, and Lambda's poller, with a queue's numbers of the template."""

    def __init__(self, properties, clock, window=60, sizes=(5, 100)):
        self.clock, self.window, self.sizes = clock, window, sizes
        self.visibility = properties["VisibilityTimeout"]
        self.most = properties["RedrivePolicy"]["maxReceiveCount"]
        self.messages, self.moved, self.letters = {}, [], []
        self.down = False

    def send(self, body):
        """Take a message."""
        name = f"m{len(self.messages)}"
        self.messages[name] = {"body": body, "receives": 0, "at": self.clock[0]}
        self.messages[name]["sent"] = self.clock[0]

    def change_message_visibility_batch(self, *, Entries, **_):  # noqa: N803
        """Hide messages from now on."""
        if self.down:
            raise EndpointConnectionError(endpoint_url="https://sqs")
        for entry in Entries:
            wait = entry["VisibilityTimeout"]
            assert 0 < wait <= 12 * HOUR
            self.messages[entry["ReceiptHandle"]]["at"] = self.clock[0] + wait
        return {}

    def get_queue_attributes(self, **_):
        """Say for how long what was received is hidden."""
        if self.down:
            raise EndpointConnectionError(endpoint_url="https://sqs")
        return {"Attributes": {"VisibilityTimeout": str(self.visibility)}}

    def send_message(self, **letter):
        """Take a dead letter."""
        self.letters.append(letter["MessageAttributes"]["error"]["StringValue"])

    def turn(self, handler, chance):
        """Go to where a message is visible, and let copies of a function handle what is."""
        first = min(message["at"] for message in self.messages.values())
        self.clock[0] = max(self.clock[0], first) + self.window  # several are visible by then
        ready = [name for name, message in self.messages.items() if message["at"] <= self.clock[0]]
        chance.shuffle(ready)
        for batch in itertools.batched(ready, chance.choice(self.sizes), strict=False):
            self._handle(handler, batch)
        self.clock[0] += 1

    def _handle(self, handler, batch):
        records = []
        for name in batch:
            message = self.messages[name]
            message["receives"] += 1
            message["at"] = self.clock[0] + self.visibility
            if message["receives"] > self.most:
                self.moved.append(self.messages.pop(name))
                continue
            attributes = {
                "ApproximateReceiveCount": str(message["receives"]),
                "SentTimestamp": str(int(message["sent"] * 1000)),
            }
            records.append({"messageId": name, "receiptHandle": name, "body": message["body"],
                            "attributes": attributes, "eventSource": "aws:sqs"})  # fmt: skip
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
        answer = handler({"Records": records}, context)
        back = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in back:
                del self.messages[record["messageId"]]
