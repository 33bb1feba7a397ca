"""The dead letters of one queue, a page at a time.

Polls are long: a short poll asks some of SQS's servers, and its empty answer proves nothing. A
received letter is hidden until it is deleted or released. SQS may deliver a message twice, even
after it was deleted: a letter is yielded once, and a deleted one is deleted again.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import Any

from ops.letter import Letter
from ops.mapping import logical_id, reaction_name

SUFFIX = "DeadLetters"
PAGE = 10
WAIT_SECONDS = 1  # of a long poll; an empty queue takes it too
HIDDEN_SECONDS = 900  # ten records, of which `announce` may take a minute each, and some more
MAX_HELD = 100_000  # SQS hides 120,000 of a queue at most
MAX_OLD_PAGES = 3  # on end, of letters that were yielded before
COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


def count_of(sqs: Any, url: str) -> int:
    """Return SQS's estimate of a queue's messages, hidden ones too."""
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
    return sum(int(counts[name]) for name in COUNTS)


class DeadLetters:
    """A queue of dead letters; `counted` is SQS's estimate of their number at the start."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs, self._url = sqs, url
        self.counted = count_of(sqs, url)
        self._held: dict[str, str] = {}  # message id -> last receipt handle
        self._deleted: set[str] = set()

    def pages(self) -> Iterator[list[Letter]]:
        """Yield pages of letters that were not yielded before, until no more are found or held."""
        old_pages = 0
        while old_pages < MAX_OLD_PAGES and len(self._held) < MAX_HELD:
            received = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=PAGE,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            ).get("Messages", [])
            deleted = [one for one in received if one["MessageId"] in self._deleted]
            left = [one for one in received if one["MessageId"] not in self._deleted]
            page = [letter for letter in left if letter["MessageId"] not in self._held]
            self._held |= {letter["MessageId"]: letter["ReceiptHandle"] for letter in left}
            self.delete(deleted)
            if not received:
                return
            old_pages = 0 if page else old_pages + 1
            if page:
                yield page

    def delete(self, letters: Sequence[Letter]) -> None:
        """Delete at most PAGE letters."""
        if letters:
            entries = [
                {"Id": one["MessageId"], "ReceiptHandle": one["ReceiptHandle"]} for one in letters
            ]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
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


def queues_of(resources: Mapping[str, str], name: str = "") -> dict[str, str]:
    """Return the URLs of dead-letter queues by their owner's logical id: {"FollowUp": "https://…"}.

    `name` is a reaction's (follow_up), or track, announce, spill, forward; exits where none is.
    """
    queues = {
        logical.removesuffix(SUFFIX): url
        for logical, url in sorted(resources.items())
        if logical.endswith(SUFFIX)
    }
    if not name:
        return queues
    owner = logical_id(name) if name.islower() else name.removesuffix(SUFFIX)
    if owner not in queues:
        raise SystemExit(
            f"{name!r} has no dead letters; NAME is one of {', '.join(map(reaction_name, queues))}"
        )
    return {owner: queues[owner]}
