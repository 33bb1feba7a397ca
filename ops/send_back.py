"""Dead letters on their way back: into the queue that they came from, or to announce itself."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ops.letter import Letter, content_of
from relay.groups import groups

ANNOUNCE = "Announce"
BATCH, BATCH_BYTES = 10, 1_000_000  # of a SendMessageBatch; it takes 1 MiB, other fields included

type Client = Callable[[str], Any]
type Sent = Iterator[tuple[list[Letter], str | None]]


class SendBack:
    """Sends letters back; `client` returns a boto3 client by its service.

    A letter keeps its reason: a reaction learns from it that an operator has decided.
    """

    def __init__(self, client: Client, resources: Mapping[str, str]) -> None:
        self._client, self._resources = client, resources

    def __call__(self, owner: str, letters: Sequence[Letter]) -> Sent:
        """Send letters back; yield groups, and why they stay, None if they were sent."""
        if owner == ANNOUNCE:
            function = self._resources["AnnounceFunction"]
            for letter in letters:
                yield [letter], _announce(self._client("lambda"), function, letter)
        elif not (target := self._resources.get(f"{owner}Queue")):
            yield list(letters), "there is no queue of that name to send it to"
        else:
            yield from _send_to(self._client("sqs"), target, letters)


def _send_to(sqs: Any, target: str, letters: Iterable[Letter]) -> Sent:
    for group in groups(letters, _bytes, BATCH, BATCH_BYTES):
        answer = sqs.send_message_batch(
            QueueUrl=target,
            Entries=[
                {
                    "Id": letter["MessageId"],
                    "MessageBody": letter["Body"],
                    "MessageAttributes": letter.get("MessageAttributes", {}),
                }
                for letter in group
            ],
        )
        failed = {entry["Id"]: entry["Code"] for entry in answer.get("Failed", [])}
        if taken := [letter for letter in group if letter["MessageId"] not in failed]:
            yield taken, None
        for letter in group:
            if letter["MessageId"] in failed:
                yield [letter], f"SQS does not take it: {failed[letter['MessageId']]}"


def _bytes(letter: Letter) -> int:
    return len(json.dumps([letter["Body"], letter.get("MessageAttributes")]))


def _announce(functions: Any, function: str, letter: Letter) -> str | None:
    """Invoke announce with a record of the stream; return why the letter stays, None if done."""
    if not isinstance(record := content_of(letter), dict):
        return "it is no stream record"
    payload = json.dumps({"Records": [record]})
    answer = functions.invoke(FunctionName=function, Payload=payload)
    result = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        return f"announce failed: {result.get('errorType')}: {result.get('errorMessage')}"
    if result["batchItemFailures"]:
        return "announce can't take it now; `make logs` says why"
    return None
