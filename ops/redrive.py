"""`make redrive`: the dead letters and their reasons, and back where they came from if told so.

A letter is sent before it is deleted, ten at a time: interrupted in between, those ten are sent
once more by the next run. Nothing is lost by it, and what receives them does a record once by its
id; a subscriber of your own may see it twice. One run sends no letter twice, nor one that is equal
to a letter that it has sent: what fails at once and is dead again stays, with its new reason.
"""

import base64
import contextlib
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from hashlib import sha256
from typing import Any

import boto3

from ops.dead_letters import DeadLetters, Letter
from ops.deployed import find_stack

ANNOUNCE = "AnnounceDeadLetters"
SHOWN = 10_000  # letters of a queue that are looked at for their reasons; SQS hides 120,000 at most
STAYING = 1_000  # letters of a queue that could not be sent: no more are tried
BATCH_BYTES = (
    1_000_000  # of a SendMessageBatch, which takes 1 MiB with all that is around the texts
)
PROGRESS = 1_000

type Say = Callable[[str], None]
type Sent = Iterator[tuple[list[Letter], str | None]]


def main() -> None:
    """Show the dead letters of a stack by their reasons; with `--go` send them back."""
    resources = find_stack(sys.argv[1]).resources()
    with contextlib.suppress(KeyboardInterrupt):
        redrive(cache(boto3.client), resources, print, go="--go" in sys.argv[2:])
        return
    sys.exit("interrupted; what was sent is no dead letter any more, the rest is where it was")


def redrive(aws: Callable[[str], Any], resources: dict[str, str], say: Say, *, go: bool) -> None:
    """Show the dead letters, send them back if told so.

    A letter keeps its reason: a reaction knows by it that a person has decided. `aws` makes a
    client of a service.
    """
    found = sent = stay = unseen = 0
    for name, url in sorted(resources.items()):
        if not name.endswith("DeadLetters"):
            continue
        letters = DeadLetters(aws("sqs"), url)
        round_ = _Round(name, letters, say)
        try:
            if go:
                round_.send(partial(_send, aws, resources, name))
            else:
                round_.look()
        finally:
            letters.release()
        round_.show()
        found, sent, stay = found + round_.found, sent + round_.sent, stay + round_.stays.total()
        unseen += round_.unseen
    if go:
        say(f"{sent} sent back" + f", {stay} stay" * (stay > 0))
    else:
        more = f" and about {unseen} more" * (unseen > 0)
        say(f"{found} dead letters{more}; `make redrive GO=1` sends them back")


class _Round:
    """What is done with the letters of one queue, and said of it."""

    def __init__(self, name: str, letters: DeadLetters, say: Say) -> None:
        self._name, self._letters, self._say = name, letters, say
        self._reasons: Counter[str] = Counter()
        self.stays: Counter[str] = Counter()
        self.sent = 0

    @property
    def found(self) -> int:
        """How many letters were met that were there at the start."""
        return self._reasons.total()

    @property
    def unseen(self) -> int:
        """How many more there are, by SQS's own estimate."""
        return max(self._letters.counted - self.found, 0)

    def look(self) -> None:
        """Count the reasons."""
        for page in self._letters.pages():
            self._met(page)
            if self.found >= SHOWN:
                return

    def send(self, send: Callable[[list[Letter]], Sent]) -> None:
        """Send what was there at the start, and delete what was sent."""
        equal: set[bytes] = set()
        for page in self._letters.pages():
            fresh: list[Letter] = []
            late = 0
            room = max(self._letters.counted, len(page) if not self.found else 0) - self.found
            for letter in page:
                if (its := _digest(letter)) in equal:
                    self.stays[f"dead again: {_reason(letter)}"] += 1
                elif len(fresh) == room:
                    late += 1
                else:
                    equal.add(its)
                    fresh.append(letter)
            self._met(fresh)
            for group, trouble in send(fresh):
                if trouble is None:
                    self._letters.delete(group)
                    self.sent += len(group)
                else:
                    self.stays[trouble] += len(group)
            if late:
                self.stays["came meanwhile"] += late
            if late or self.stays.total() >= STAYING:
                return

    def _met(self, page: list[Letter]) -> None:
        before = self.found
        self._reasons.update(map(_reason, page))
        if before // PROGRESS < self.found // PROGRESS:
            self._say(f"{self._name}  {self.found} of about {self._letters.counted} …")

    def show(self) -> None:
        """Say what there was, what stays and what could not be looked at."""
        stays = {f"stays: {why}": count for why, count in self.stays.most_common()}
        for line, count in [*self._reasons.most_common(), *stays.items()]:
            self._say(f"{self._name}  {count} x  {line}")
        if self.unseen:
            self._say(
                f"{self._name}  about {self.unseen} more, not looked at: too many at once, or "
                "another `make redrive` has them, for 15 minutes where it was killed"
            )


def _send(
    aws: Callable[[str], Any], resources: dict[str, str], name: str, letters: list[Letter]
) -> Sent:
    """Send letters back to where they came from; yield groups of them, and why they stay."""
    if name == ANNOUNCE:
        for letter in letters:
            yield [letter], _announce(aws("lambda"), resources["AnnounceFunction"], letter)
    elif not (target := resources.get(name.replace("DeadLetters", "Queue"))):
        yield letters, "there is no queue that it could have come from"
    else:
        for group in _groups(letters):
            answer = aws("sqs").send_message_batch(
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
            yield [letter for letter in group if letter["MessageId"] not in failed], None
            for letter in group:
                if letter["MessageId"] in failed:
                    yield [letter], f"SQS does not take it: {failed[letter['MessageId']]}"


def _groups(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    """Yield what fits into one SendMessageBatch."""
    group: list[Letter] = []
    size = 0
    for letter in letters:
        more = len(json.dumps([letter["Body"], letter.get("MessageAttributes")]))
        if group and size + more > BATCH_BYTES:
            yield group
            group, size = [], 0
        group.append(letter)
        size += more
    if group:
        yield group


def _announce(functions: Any, function: str, letter: Letter) -> str | None:
    """Hand a record to announce, as nobody but the mirror's stream can otherwise."""
    if not isinstance(record := _content(letter), dict):
        return "it is no record"
    payload = json.dumps({"Records": [record]})
    answer = functions.invoke(FunctionName=function, Payload=payload)
    said = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        return f"announce failed: {said.get('errorType')}: {said.get('errorMessage')}"
    if said["batchItemFailures"]:
        return "announce can't take it now; `make logs` says why"
    return None


def _content(letter: Letter) -> Any:
    """Return what the JSON in a letter says, packed or not; its text where it is none."""
    body: str = letter["Body"]
    try:
        text = body
        if not body.startswith(("{", "[")):
            text = zlib.decompress(base64.b64decode(body)).decode()
        return json.loads(text)
    except (ValueError, RecursionError, zlib.error):
        return body


def _digest(letter: Letter) -> bytes:
    """Return what two letters have in common that say the same."""
    return sha256(json.dumps(_content(letter), sort_keys=True).encode()).digest()


def _reason(letter: Letter) -> str:
    said = letter.get("MessageAttributes", {}).get("reason")
    return said["StringValue"] if said else "no reason given: it was received too often"


if __name__ == "__main__":
    main()
