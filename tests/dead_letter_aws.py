"""Dead-letter queues as SQS has them, in memory: received messages are hidden, polls take time."""

import io
import itertools
import json

RESOURCES = {
    "AnnounceDeadLetters": "announce-dead",
    "AnnounceFunction": "relay-announce",
    "JournalDeadLetters": "journal-dead",
    "JournalQueue": "journal",
    "OrphanDeadLetters": "orphan-dead",
}
REQUEST_SECONDS = 0.5
MANY = 2_500  # their receives alone take longer than a minute
RECORD = {"eventName": "MODIFY", "dynamodb": {"SequenceNumber": "7", "NewImage": {"é": 1}}}


class DeadLetterAws:
    """Queues that hide received messages, and an announce with a set answer.

    A short poll finds nothing, each request takes time, and numbers may be estimates.
    """

    def __init__(self):
        self.queues = {url: {} for url in RESOURCES.values()}
        self.now, self.requests, self.ends_after = 0.0, 0, None
        self.numbers = itertools.count()
        self.answer, self.error, self.puts_back = {"batchItemFailures": []}, None, None
        self.asked, self.sent, self.refused, self.estimate = [], [], set(), None
        self.receives, self.noted = 0, []

    def __call__(self, _service):
        """Return the client of any service."""
        return self

    def put(self, url, body, reason=None, sent=0, **more):
        """Put a dead letter with its reason and other attributes into a queue."""
        texts = ({"reason": reason} if reason else {}) | more
        attributes = {
            name: {"DataType": "String", "StringValue": text} for name, text in texts.items()
        }
        letter = {"MessageId": f"{next(self.numbers):08}-id", "Body": body}
        letter["Attributes"] = {"SentTimestamp": str(sent * 1000)}
        letter |= {"MessageAttributes": attributes} if attributes else {}
        self.queues[url][letter["MessageId"]] = [letter, 0.0]

    def _work(self):
        self.now += REQUEST_SECONDS
        self.requests += 1
        if self.requests == self.ends_after:
            raise KeyboardInterrupt

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Take messages, except for the refused ones."""
        self._work()
        assert sum(len(entry["MessageBody"]) for entry in Entries) <= 1024 * 1024
        failed = [entry for entry in Entries if entry["MessageBody"] in self.refused]
        for entry in (entry for entry in Entries if entry not in failed):
            kept = {name: one["StringValue"] for name, one in entry["MessageAttributes"].items()}
            self.put(QueueUrl, entry["MessageBody"], **kept)
            self.sent.append(entry["MessageBody"])
        return {"Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in failed]}

    def receive_message(
        self,
        *,
        QueueUrl,  # noqa: N803
        MaxNumberOfMessages=1,  # noqa: N803
        VisibilityTimeout=30,  # noqa: N803
        WaitTimeSeconds=0,  # noqa: N803
        **_,
    ):
        """Return visible messages and hide them."""
        self._work()
        self.receives += 1
        if not WaitTimeSeconds:
            return {}
        queue = self.queues[QueueUrl]
        found = (handle for handle, (_, hidden) in queue.items() if hidden <= self.now)
        letters = []
        for handle in list(itertools.islice(found, MaxNumberOfMessages)):
            letter, _ = queue.pop(handle)
            queue[handle] = [letter, self.now + VisibilityTimeout]  # behind all others
            letters.append(letter | {"ReceiptHandle": handle})
        return {"Messages": letters} if letters else {}

    def delete_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Delete messages."""
        self._work()
        for entry in Entries:
            self.queues[QueueUrl].pop(entry["ReceiptHandle"], None)

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Change how long messages are hidden."""
        self._work()
        for entry in Entries:
            self.queues[QueueUrl][entry["ReceiptHandle"]][1] = self.now + entry["VisibilityTimeout"]

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        """Return the number of messages, or the set estimate."""
        number = len(self.queues[QueueUrl]) if self.estimate is None else self.estimate
        return {"Attributes": dict.fromkeys(AttributeNames, "0") | {AttributeNames[0]: str(number)}}

    def invoke(self, *, FunctionName, Payload):  # noqa: N803
        """Answer as announce."""
        self._work()
        assert FunctionName == "relay-announce"
        (record,) = json.loads(Payload)["Records"]
        self.asked.append(record)
        if self.puts_back:
            self.put("announce-dead", json.dumps(record, ensure_ascii=False), self.puts_back)
        failed = {"FunctionError": self.error} if self.error else {}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())} | failed

    def create_log_stream(self, **_):
        """Take a stream."""

    def put_log_events(self, *, logEvents, **_):  # noqa: N803
        """Keep the lines that were noted."""
        self._work()
        self.noted += [json.loads(one["message"]) for one in logEvents]

    def get_caller_identity(self):
        """Return whose credentials these are."""
        return {"Arn": "arn:aws:iam::1:user/ada"}

    def bodies(self, url):
        """Return the bodies of a queue's visible messages."""
        return [one["Body"] for one, hidden in self.queues[url].values() if hidden <= self.now]
