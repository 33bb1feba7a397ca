"""The announced changes of the local stack, as text for the terminal and steps for the page."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from local.aws import LocalAws
from local.stack import Stack
from relay.change import Change
from relay.echo.derived_fields import FOLLOWS
from relay.echo.same_value import plain
from relay.errors import NotOursError

SHOWN = 3  # fields on a line
QUEUE = "relay-changes-shown"
PATIENCE_SECONDS = 3.0  # for the log line of track, which may be stored after the change is sent
# Fields that follow from a person's edit; they are in the Change, and not shown.
_CONSEQUENCES = set().union(*FOLLOWS.values()) - {"stageid", "opportunity", "contactid"}


class Changes:
    """A queue of its own behind the topic of changes.

    `stray` is called with a text about each message that is no change.
    """

    def __init__(
        self,
        aws: LocalAws,
        stack: Stack,
        queue: str = QUEUE,
        *,
        stray: Callable[[str], object] = print,
    ) -> None:
        self._sqs, self._sns = aws.client("sqs"), aws.client("sns")
        self._stray = stray
        self._url = self._sqs.create_queue(QueueName=queue)["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        topic, arn = stack.outputs["ChangesTopicArn"], asked["Attributes"]["QueueArn"]
        self._sqs.set_queue_attributes(
            QueueUrl=self._url, Attributes={"Policy": let_in(topic, arn)}
        )
        self._subscription = self._sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
        )["SubscriptionArn"]

    def close(self) -> None:
        """Delete the queue and its subscription."""
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sqs.delete_queue(QueueUrl=self._url)

    def new(self, wait_seconds: int = 0) -> Iterator[Change]:
        """Yield the changes that were announced since the last call.

        With `wait_seconds` 0 some messages may be left for the next call.
        """
        while True:
            found = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
            )
            for message in found.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                try:
                    yield read(message["Body"])
                except ValueError as error:
                    self._stray(f"a message that is no change: {error}")
            if not found.get("Messages"):
                return


def read(body: str) -> Change:
    """Return the change in a message; raises ValueError where it can't be read or shown."""
    try:
        change = Change.from_cloudevent(json.loads(body))
        shown = words(change), step(change), _time(change)
        json.dumps(shown, ensure_ascii=False).encode()
    except (NotOursError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"{error!r:.200}") from error
    return change


def let_in(topic: str, queue: str) -> str:
    """Return the queue policy that lets a topic send to a queue, as JSON."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Reading(NamedTuple):
    """One read of track: how many items, in how many requests, and when (seconds since 1970)."""

    began: float
    ended: float
    items: int
    requests: int

    def __str__(self) -> str:
        """Return a text: `3 reads in 1 request`."""
        reads = "read" if self.items == 1 else "reads"
        requests = "request" if self.requests == 1 else "requests"
        return f"{self.items} {reads} in {self.requests} {requests}"


class Readings:
    """Joins each change with the reading that found it, in the order of the announcements."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=100)
        self._waiting: deque[tuple[Change, float]] = deque()

    def add(self, line: Mapping[str, Any]) -> None:
        """Add a log line; only those of track's reads count."""
        if (line.get("service"), line["message"]) == ("track", "read"):
            ended = line["began"] + line["seconds"]
            self._readings.append(Reading(line["began"], ended, line["items"], line["requests"]))

    def join(self, new: Iterable[Change], now: float) -> Iterator[tuple[Change, Reading | None]]:
        """Yield each change with its reading, None where PATIENCE_SECONDS pass without one."""
        self._waiting.extend((change, now) for change in new)
        while self._waiting:
            change, since = self._waiting[0]
            reading = self._of(change)
            if not reading and now - since < PATIENCE_SECONDS:
                return
            self._waiting.popleft()
            yield change, reading

    def _of(self, change: Change) -> Reading | None:
        at = _time(change)
        matching = (one for one in self._readings if one.began - 0.001 <= at <= one.ended + 0.001)
        return next(matching, None)


def _time(change: Change) -> float:
    return datetime.fromisoformat(change.time).timestamp()


def words(change: Change, reading: Reading | None = None) -> str:
    """Return a change as one line: `deal 662 stageId NEW -> WON by user 1, event, 1 read in …`."""
    what = change.action
    edited = _edited(change)
    if edited:
        what = ", ".join(_field(change, name) for name in edited[:SHOWN])
        more = len(edited) - SHOWN
        what += f" and {more} more" if more > 0 else ""
    user = change.after.get("updatedBy") or change.after.get("changedBy")
    by = f" by user {user}" if user else ""
    seen = change.via if change.origin == "portal" else f"{change.via}, written by a reaction"
    return f"{change.entity} {change.id} {what}{by}, {seen}" + (f", {reading}" if reading else "")


def _edited(change: Change) -> list[str]:
    """Return the fields that a person edited; of an added item none: all of them are new."""
    if change.action != "updated":
        return []
    edited = [name for name in change.changed if plain(name) not in _CONSEQUENCES]
    return edited or list(change.changed)


def _field(change: Change, name: str) -> str:
    return f"{name} {_short(change.before, name)} -> {_short(change.after, name)}"


def _short(values: Mapping[str, Any], name: str) -> str:
    text = str(values.get(name) if values.get(name) is not None else "-")
    return text if len(text) <= 30 else text[:29] + "…"  # noqa: PLR2004  fits a line of 80


def step(change: Change, reading: Reading | None = None) -> dict[str, Any]:
    """Return a change as a step of the page's strip (local/portal/README.md)."""
    changed = _edited(change)
    detail = {
        "changed": changed,
        "before": {name: change.before.get(name) for name in changed},
        "after": {name: change.after.get(name) for name in changed},
        "reading": str(reading or ""),
    }
    subject = f"{change.entity}/{change.id}"
    return {"step": "changed", "subject": subject, "detail": detail}
