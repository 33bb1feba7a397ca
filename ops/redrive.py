"""`make redrive`: the dead letters and their reasons, and back where they came from if told so."""

import base64
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import boto3

from ops.deployed import find_stack

ANNOUNCE = "AnnounceDeadLetters"


def main() -> None:
    """Show every dead letter of a stack by its reason; with `--go` send all of them back."""
    resources = find_stack(sys.argv[1]).resources()
    redrive(cache(boto3.client), resources, print, go="--go" in sys.argv[2:])


def redrive(
    aws: Callable[[str], Any], resources: dict[str, str], say: Callable[[str], None], *, go: bool
) -> None:
    """Show the dead letters, send each back at most once.

    A message is sent before it is deleted, so that one is rather handled twice than lost. It keeps
    its reason: a reaction knows by it that a person has decided. `aws` makes a client of a service.
    """
    sqs = aws("sqs")
    found = sent = 0
    for name, url in sorted(resources.items()):
        if not name.endswith("DeadLetters"):
            continue
        letters = _take(sqs, url)
        found += len(letters)
        _show(say, name, map(_reason, letters))
        taken, stays = [], []
        for letter in letters:
            trouble = _send(aws, resources, name, letter) if go else ""
            if trouble is None:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
                taken.append(letter)
            else:
                _leave(sqs, url, letter)
                stays.append(f"stays: {trouble}")
        if name == ANNOUNCE:
            stays += _again(sqs, url, taken)
        if go:
            _show(say, name, stays)
            sent += len(letters) - len(stays)
    if go:
        say(f"{sent} sent back" + f", {found - sent} stay" * (sent < found))
    else:
        say(f"{found} dead letters; `make redrive GO=1` sends them back")


def _send(
    aws: Callable[[str], Any], resources: dict[str, str], name: str, letter: dict[str, Any]
) -> str | None:
    """Send a letter back to where it came from; returns why it was not taken there."""
    if name == ANNOUNCE:
        return _announce(aws("lambda"), resources["AnnounceFunction"], letter)
    if not (target := resources.get(name.replace("DeadLetters", "Queue"))):
        return "there is no queue that it could have come from"
    aws("sqs").send_message(
        QueueUrl=target,
        MessageBody=letter["Body"],
        MessageAttributes=letter.get("MessageAttributes", {}),
    )
    return None


def _announce(functions: Any, function: str, letter: dict[str, Any]) -> str | None:
    """Hand a record to announce, as nobody but the mirror's stream can otherwise."""
    if not (record := _record(letter)):
        return "it is no record"
    payload = json.dumps({"Records": [record]})
    answer = functions.invoke(FunctionName=function, Payload=payload)
    said = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        return f"announce failed: {said.get('errorType')}: {said.get('errorMessage')}"
    if said["batchItemFailures"]:
        return "announce can't take it now; `make logs` says why"
    return None


def _again(sqs: Any, url: str, taken: list[dict[str, Any]]) -> list[str]:
    """Return why announce has set records aside once more, each in a message of its own."""
    records = [_record(letter) for letter in taken]
    reasons = []
    for letter in _take(sqs, url) if records else []:
        _leave(sqs, url, letter)
        if _record(letter) in records:
            reasons.append(f"stays: not understood again: {_reason(letter)}")
    return reasons


def _record(letter: dict[str, Any]) -> Any:
    """Return the stream record in a letter; None where somebody has put in something else."""
    body: str = letter["Body"]
    try:
        if not body.startswith("{"):
            body = zlib.decompress(base64.b64decode(body)).decode()
        return json.loads(body)
    except (ValueError, zlib.error):
        return None


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


def _leave(sqs: Any, url: str, letter: dict[str, Any]) -> None:
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"], VisibilityTimeout=0
    )


def _show(say: Callable[[str], None], name: str, lines: Iterable[str]) -> None:
    for line, count in Counter(lines).most_common():
        say(f"{name}  {count} x  {line}")


def _reason(letter: dict[str, Any]) -> str:
    said = letter.get("MessageAttributes", {}).get("reason")
    return said["StringValue"] if said else "no reason given: it was received too often"


if __name__ == "__main__":
    main()
