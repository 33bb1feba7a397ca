"""The announced changes of the local stack, as text for the terminal and steps for the page."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from local.aws import LocalAws
from local.stack import Stack
from ops import change_line
from ops.change_line import edited_fields
from ops.temporary_queue import TemporaryQueue
from relay.change import Change
from relay.errors import NotOursError

QUEUE = "relay-changes-shown"
PATIENCE_SECONDS = 3.0  # for the log line of track, which may be stored after the change is sent


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
        self._stray = stray
        topic = stack.outputs["ChangesTopicArn"]
        self._queue = TemporaryQueue(aws.client("sqs"), aws.client("sns"), topic, queue)

    def close(self) -> None:
        """Delete the queue and its subscription."""
        self._queue.close()

    def new(self, wait_seconds: int = 0) -> Iterator[Change]:
        """Yield the changes that were announced since the last call.

        With `wait_seconds` 0 some messages may be left for the next call.
        """
        while found := self._queue.messages(wait_seconds):
            for message in found:
                self._queue.delete(message)
                try:
                    yield read(message["Body"])
                except ValueError as error:
                    self._stray(f"a message that is no change: {error}")


def read(body: str) -> Change:
    """Return the change in a message; raises ValueError where it can't be read or shown."""
    try:
        change = Change.from_cloudevent(json.loads(body))
        shown = words(change), step(change), _time(change)
        json.dumps(shown, ensure_ascii=False).encode()
    except (NotOursError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"{error!r:.200}") from error
    return change


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
    return change_line.words(change) + (f", {reading}" if reading else "")


def step(change: Change, reading: Reading | None = None) -> dict[str, Any]:
    """Return a change as a step of the page's strip (local/portal/README.md)."""
    changed = edited_fields(change)
    detail = {
        "action": change.action,
        "changed": changed,
        "before": {name: change.before.get(name) for name in changed},
        "after": {name: change.after.get(name) for name in changed},
        "reading": str(reading or ""),
    }
    subject = f"{change.entity}/{change.id}"
    return {"step": "changed", "subject": subject, "detail": detail}
