"""The dead letters of one queue, a page at a time, however many there are.

Polls are long: a short one asks some of SQS's servers, and its empty answer proves nothing. What
was received is hidden until it is deleted or released. SQS may show a message twice, also one that
was deleted: a letter is given out once, and one that was deleted is deleted again.
"""

from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Any

type Letter = dict[str, Any]

PAGE = 10
WAIT_SECONDS = 1  # for each queue that is empty, too
HIDDEN_SECONDS = 900  # ten records, each of which `announce` may take a minute for, and some more
COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


class DeadLetters:
    """A queue of dead letters; `counted` is how many SQS believed to be there at the start."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs, self._url = sqs, url
        asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
        self.counted = sum(int(asked[name]) for name in COUNTS)
        self._held: dict[str, str] = {}  # by the id of its message, its last receipt
        self._deleted: set[str] = set()

    def pages(self) -> Iterator[list[Letter]]:
        """Yield what was not given out yet, until there is nothing more of that."""
        while True:
            found = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=PAGE,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            gone = [letter for letter in found if letter["MessageId"] in self._deleted]
            left = [letter for letter in found if letter["MessageId"] not in self._deleted]
            page = [letter for letter in left if letter["MessageId"] not in self._held]
            self._held |= {letter["MessageId"]: letter["ReceiptHandle"] for letter in left}
            self.delete(gone)
            if not page:
                return
            yield page

    def delete(self, letters: Sequence[Letter]) -> None:
        """Delete letters, at most a page of them."""
        if letters:
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=list(map(_entry, letters)))
        for letter in letters:
            self._deleted.add(letter["MessageId"])
            self._held.pop(letter["MessageId"], None)

    def release(self) -> None:
        """Show everybody what was received and not deleted."""
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
