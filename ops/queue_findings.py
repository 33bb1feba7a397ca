"""What `make doctor` says of queues: what waits, what was given up, what nobody takes."""

from collections.abc import Iterator, Mapping
from typing import Any

from ops.ages import age
from ops.dead_letters import PAGE, SUFFIX, count_of
from ops.findings import BAD, LOOK, OK, Finding
from ops.letter import sent_at
from ops.pause import REMIND_SECONDS, paused
from ops.terminal import numbered


def queue_findings(sqs: Any, resources: Mapping[str, str], now: float) -> Iterator[Finding]:
    """Yield the queues that hold something: dead letters are BAD."""
    waiting = dead = 0
    for name, url in sorted(resources.items()):
        if "://" not in url or not name.endswith(("Queue", SUFFIX)):
            continue  # the subscriptions of functions end so too
        number = count_of(sqs, url)
        if number and name.endswith(SUFFIX):
            dead += number
            oldest = _oldest_seconds(sqs, url, now)
            since = f", up to {age(oldest)} old" if oldest else ""
            owner = name.removesuffix(SUFFIX)
            letters = f"{numbered(number, 'dead letter')}{since}"
            yield Finding(BAD, f"{name}: {letters}; `make dead NAME={owner}` shows why")
        elif number:
            waiting += number
            yield Finding(LOOK, f"{name}: {number} waiting or being handled")
    if not dead:
        yield Finding(OK, "no dead letters" + (", and no queue waits" if not waiting else ""))


def _oldest_seconds(sqs: Any, url: str, now: float) -> float:
    """Return the age of the oldest of ten letters, which stay visible; 0 where none was seen."""
    letters = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=PAGE,
        VisibilityTimeout=0,
        WaitTimeSeconds=1,
        MessageSystemAttributeNames=["SentTimestamp"],
    ).get("Messages", [])
    return max((now - sent_at(letter) for letter in letters), default=0.0)


def paused_findings(functions: Any, resources: Mapping[str, str], now: float) -> Iterator[Finding]:
    """Yield the functions that an operator has paused; BAD where records are near their end."""
    for one in paused(functions, resources):
        since = now - one.since
        yield Finding(
            LOOK if since < REMIND_SECONDS else BAD,
            f"{one.name} has been paused for {age(since)}; SQS deletes records after 14 days: "
            f"`make resume NAME={one.name}`",
        )
