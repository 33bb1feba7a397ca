"""`make redrive`: the dead letters and their reasons, and back into their queues if told so."""

import sys
from collections import Counter
from typing import Any

import boto3

from ops.deployed import find_stack


def main() -> None:
    """Show every dead letter of a stack by its reason; with `--go` send all of them back.

    A message is sent before it is deleted, so that one is rather handled twice than lost. It keeps
    its reason: a reaction knows by it that a person has decided.
    """
    stack = find_stack(sys.argv[1])
    go = "--go" in sys.argv[2:]
    sqs, resources = boto3.client("sqs"), stack.resources()
    found = 0
    for name, url in sorted(resources.items()):
        if name.endswith("DeadLetters"):
            # What announce set aside came from a stream: it is for a person to read.
            target = resources.get(name.replace("DeadLetters", "Queue"))
            letters = _take(sqs, url)
            found += len(letters)
            for reason, count in Counter(_reason(letter) for letter in letters).most_common():
                print(f"{name}  {count} x  {reason}")
            for letter in letters:
                receipt = letter["ReceiptHandle"]
                if go and target:
                    attributes = letter.get("MessageAttributes", {})
                    sqs.send_message(
                        QueueUrl=target, MessageBody=letter["Body"], MessageAttributes=attributes
                    )
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
                else:
                    sqs.change_message_visibility(
                        QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0
                    )
    said = "sent back" if go else "dead letters; `make redrive GO=1` sends them back"
    print(f"{found} {said}")


def _take(sqs: Any, url: str) -> list[dict[str, Any]]:
    """Return the messages of a queue, hidden from others for a minute."""
    letters: list[dict[str, Any]] = []
    while batch := sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=60,
        MessageAttributeNames=["All"],
    ).get("Messages"):
        letters += batch
    return letters


def _reason(letter: dict[str, Any]) -> str:
    said = letter.get("MessageAttributes", {}).get("reason")
    return said["StringValue"] if said else "no reason given: it was received too often"


if __name__ == "__main__":
    main()
