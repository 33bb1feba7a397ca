"""The dead letters of one queue, a page at a time.

Polls are long: a short poll asks some of SQS's servers, and its empty answer proves nothing. A
received letter is hidden until it is deleted or released. SQS may deliver a message twice, even
after it was deleted: a letter is yielded once, and a deleted one is deleted again.
"""

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import batched
from typing import Any

type Letter = dict[str, Any]

PAGE = 10
WAIT_SECONDS = 1  # of a long poll; an empty queue takes it too
HIDDEN_SECONDS = 900  # ten records, of which `announce` may take a minute each, and some more
COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


class DeadLetters:
    """A queue of dead letters; `counted` is SQS's estimate of their number at the start."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs, self._url = sqs, url
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
        self.counted = sum(int(counts[name]) for name in COUNTS)
        self._held: dict[str, str] = {}  # message id -> last receipt handle
        self._deleted: set[str] = set()

    def pages(self) -> Iterator[list[Letter]]:
        """Yield pages of letters that were not yielded before, until a page has none."""
        while True:
            received = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=PAGE,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            deleted = [one for one in received if one["MessageId"] in self._deleted]
            left = [one for one in received if one["MessageId"] not in self._deleted]
            page = [letter for letter in left if letter["MessageId"] not in self._held]
            self._held |= {letter["MessageId"]: letter["ReceiptHandle"] for letter in left}
            self.delete(deleted)
            if not page:
                return
            yield page

    def delete(self, letters: Sequence[Letter]) -> None:
        """Delete at most PAGE letters."""
        if letters:
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=list(map(_entry, letters)))
        for letter in letters:
            self._deleted.add(letter["MessageId"])
            self._held.pop(letter["MessageId"], None)

    def release(self) -> None:
        """Make the letters that were received and not deleted visible at once."""
        for page in batched(self._held.values(), PAGE, strict=False):
            self._sqs.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(at), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                    for at, receipt in enumerate(page)
                ],
            )
        self._held.clear()


def _entry(letter: Letter) -> dict[str, str]:
    return {"Id": letter["MessageId"], "ReceiptHandle": letter["ReceiptHandle"]}


def content_of(letter: Letter) -> Any:
    """Return the JSON value in a letter, compressed or not; its text where there is none."""
    body: str = letter["Body"]
    try:
        text = body
        if not body.startswith(("{", "[")):
            text = zlib.decompress(base64.b64decode(body)).decode()
        return json.loads(text)
    except (ValueError, RecursionError, zlib.error):
        return body


def digest_of(letter: Letter) -> bytes:
    """Return a digest of a letter's content, whatever the order of its keys."""
    return sha256(json.dumps(content_of(letter), sort_keys=True).encode()).digest()


def reason_of(letter: Letter) -> str:
    """Return the reason that a letter was sent with, or why it has none."""
    reason = letter.get("MessageAttributes", {}).get("reason")
    return reason["StringValue"] if reason else "no reason given: it was received too often"
