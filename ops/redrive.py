"""`make redrive`: show the dead letters by their reasons; with GO=1 send them back.

A letter is sent before it is deleted, ten at a time: after an interruption in between, the next run
sends those ten once more. Functions of the relay handle a record once by its id; a subscriber of
your own may get it twice. One run sends no two equal letters: a letter that fails at once and is
dead again stays, with its new reason.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Annotated, Any

import boto3
import typer

from ops.dead_letters import DeadLetters, Letter, content_of, digest_of, reason_of
from ops.deployed import Stack, find_stack
from ops.outcome import Outcome
from ops.terminal import console, shown

ANNOUNCE = "AnnounceDeadLetters"
MAX_SHOWN = 10_000  # letters of a queue whose reasons are counted; SQS hides 120,000 at most
MAX_STAYING = 1_000  # letters of a queue that could not be sent: no more are tried
MAX_BATCH_BYTES = 1_000_000  # a SendMessageBatch takes 1 MiB, entries' other fields included
PROGRESS_STEP = 1_000

type Client = Callable[[str], Any]
type Say = Callable[[str], None]
type Sent = Iterator[tuple[list[Letter], str | None]]


def command(
    stack: Stack = "relay",
    *,
    go: Annotated[bool, typer.Option("--go", help="Send them back")] = False,
) -> Outcome:
    """Show the dead letters of a stack by their reasons; with GO=1 send them back."""
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        console.print(shown(line))

    try:
        redrive(cache(boto3.client), find_stack(stack).resources, say, go=go)
    except KeyboardInterrupt:
        raise SystemExit(
            "interrupted; letters that were sent are no dead letters any more, the others stay"
        ) from None
    return Outcome({"lines": lines})


def redrive(client: Client, resources: Mapping[str, str], say: Say, *, go: bool) -> None:
    """Show the dead letters by their reasons; with `go` send them back.

    A letter keeps its reason: a reaction learns from it that an operator has decided. `client`
    returns a boto3 client by its service, `resources` are physical ids by logical id.
    """
    found = sent = stay = unread = 0
    for name, url in sorted(resources.items()):
        if not name.endswith("DeadLetters"):
            continue
        letters = DeadLetters(client("sqs"), url)
        queue = _QueueRedrive(name, letters, say)
        try:
            if go:
                queue.send(partial(_send, client, resources, name))
            else:
                queue.count_reasons()
        finally:
            letters.release()
        queue.show()
        found, sent, stay = found + queue.found, sent + queue.sent, stay + queue.stays.total()
        unread += queue.unread
    if go:
        say(f"{sent} sent back" + f", {stay} stay" * (stay > 0))
    else:
        more = f" and about {unread} more" * (unread > 0)
        say(f"{found} dead letters{more}; `make redrive GO=1` sends them back")


class _QueueRedrive:
    """The letters of one queue: counts of those that were found, sent and left."""

    def __init__(self, name: str, letters: DeadLetters, say: Say) -> None:
        self._name, self._letters, self._say = name, letters, say
        self._reasons: Counter[str] = Counter()
        self.stays: Counter[str] = Counter()
        self.sent = 0

    @property
    def found(self) -> int:
        """The number of letters that were received, of those that were there at the start."""
        return self._reasons.total()

    @property
    def unread(self) -> int:
        """The number of letters that were not received, by SQS's estimate."""
        return max(self._letters.counted - self.found, 0)

    def count_reasons(self) -> None:
        """Receive letters, up to MAX_SHOWN, and count their reasons."""
        for page in self._letters.pages():
            self._count(page)
            if self.found >= MAX_SHOWN:
                return

    def send(self, send: Callable[[list[Letter]], Sent]) -> None:
        """Send the letters that were there at the start, and delete those that were sent."""
        digests: set[bytes] = set()
        for page in self._letters.pages():
            fresh: list[Letter] = []
            late = 0
            room = max(self._letters.counted, len(page) if not self.found else 0) - self.found
            for letter in page:
                if (digest := digest_of(letter)) in digests:
                    self.stays[f"dead again: {reason_of(letter)}"] += 1
                elif len(fresh) == room:
                    late += 1
                else:
                    digests.add(digest)
                    fresh.append(letter)
            self._count(fresh)
            for group, trouble in send(fresh):
                if trouble is None:
                    self._letters.delete(group)
                    self.sent += len(group)
                else:
                    self.stays[trouble] += len(group)
            if late:
                self.stays["it came meanwhile"] += late
            if late or self.stays.total() >= MAX_STAYING:
                return

    def _count(self, page: list[Letter]) -> None:
        before = self.found
        self._reasons.update(map(reason_of, page))
        if before // PROGRESS_STEP < self.found // PROGRESS_STEP:
            self._say(f"{self._name}  {self.found} of about {self._letters.counted} …")

    def show(self) -> None:
        """Say the reasons of the letters, why some stay, and how many were not received."""
        stays = {f"stays: {why}": count for why, count in self.stays.most_common()}
        for line, count in [*self._reasons.most_common(), *stays.items()]:
            self._say(f"{self._name}  {count} x  {line}")
        if self.unread:
            self._say(
                f"{self._name}  about {self.unread} more were not received: too many at once, or "
                "another `make redrive` holds them, for up to 15 minutes"
            )


def _send(client: Client, resources: Mapping[str, str], name: str, letters: list[Letter]) -> Sent:
    """Send letters back to where they came from; yield groups, and why they stay, None if sent."""
    if name == ANNOUNCE:
        for letter in letters:
            yield [letter], _announce(client("lambda"), resources["AnnounceFunction"], letter)
    elif not (target := resources.get(name.replace("DeadLetters", "Queue"))):
        yield letters, "there is no queue of that name to send it to"
    else:
        for group in _groups(letters):
            answer = client("sqs").send_message_batch(
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
    """Yield letters that fit into one SendMessageBatch."""
    group: list[Letter] = []
    size = 0
    for letter in letters:
        more = len(json.dumps([letter["Body"], letter.get("MessageAttributes")]))
        if group and size + more > MAX_BATCH_BYTES:
            yield group
            group, size = [], 0
        group.append(letter)
        size += more
    if group:
        yield group


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
