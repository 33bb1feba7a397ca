"""The strip: the way of each event, step by step, for whoever watches.

The portal knows what it sent and which REST calls came; what happens in between it is told
(`POST /admin/steps`). A step finds its row by the event's id where it has been seen before, else by
the subject: the newest row of that subject which has not taken this step yet.
"""

import time
from collections import OrderedDict, deque
from typing import Any

from local.portal.activity import touch

STEPS = ("sent", "verified", "published", "read", "changed", "reacted", "written")
_KEPT = 400
_ALIASES = {"dynamic_31": "invoice"}

Row = dict[str, Any]


class Strip:
    """The newest rows, and a number that grows with every change for those who follow."""

    def __init__(self) -> None:
        self.rows: OrderedDict[int, Row] = OrderedDict()
        self.version = 0
        self.changed_rows: deque[tuple[int, int]] = deque(maxlen=20 * _KEPT)
        self.notice: Row = {}  # what became of code that was saved: text, lines, bad, time
        self.counters: dict[str, int] = {"events": 0, "requests": 0, "commands": 0, "refused": 0}
        self._by_event: dict[str, int] = {}
        self._by_subject: dict[str, deque[int]] = {}
        self._relay_rows = 0

    def queued(self, number: int, event: str, subject: str, now: float) -> None:
        """A row begins where the portal queues an event."""
        self.counters["events"] += 1
        self._open(number, event, subject, now)

    def _open(self, number: int, event: str, subject: str, now: float) -> Row:
        row = {"number": number, "event": event, "subject": subject, "time": now, "steps": {}}
        self.rows[number] = row
        self._by_subject.setdefault(subject, deque(maxlen=20)).append(number)
        while len(self.rows) > _KEPT:
            old, dropped = self.rows.popitem(last=False)
            rows = self._by_subject.get(dropped["subject"])
            if rows and rows[0] == old:
                rows.popleft()
                if not rows:
                    del self._by_subject[dropped["subject"]]
        self._touch(number)
        return row

    def sent(self, number: int, outcome: str, seconds: float, now: float) -> None:
        """The handler answered, or didn't."""
        self._mark(number, "sent", now, {"outcome": outcome, "seconds": round(seconds, 4)})

    def step(self, record: Row) -> None:
        """Take one step that the relay reports: step, event_id, subject, time, detail."""
        name = str(record.get("step", ""))
        subject = _plain_subject(str(record.get("subject") or ""))
        event_id = str(record.get("event_id") or "")
        number = self._by_event.get(event_id) if event_id else None
        if number is None or number not in self.rows:
            number = self._find(subject, name, str(record.get("event") or ""))
        if number is None:
            self._relay_rows -= 1  # found by a sweep: no event of the portal began this row
            number = self._relay_rows
            self._open(number, "", subject, _seconds(record.get("time")))
        if event_id:
            self._by_event[event_id] = number
            if len(self._by_event) > 10 * _KEPT:
                self._by_event = dict(list(self._by_event.items())[5 * _KEPT :])
        detail = record.get("detail")
        self._mark(
            number, name, _seconds(record.get("time")), detail if isinstance(detail, dict) else {}
        )

    def saw(self, subject: str, name: str, now: float, detail: Row) -> None:
        """A REST call touched an item: `read` or `written`, if a row of it is open."""
        touch(subject)
        number = self._find(subject, name)
        if number is not None:
            self._mark(number, name, now, detail)

    def _find(self, subject: str, name: str, event: str = "") -> int | None:
        """The oldest row of a subject without this step, one of the event before any other."""
        found = None
        for number in self._by_subject.get(subject, ()):
            row = self.rows.get(number)
            if row is not None and name not in row["steps"] and not _undelivered(row):
                if not event or row["event"] == event:
                    return number
                found = number if found is None else found
        return found

    def _mark(self, number: int, name: str, now: float, detail: Row) -> None:
        row = self.rows.get(number)
        if row is not None and name:
            row["steps"][name] = {"time": now, **detail}
            self._touch(number)

    def tell(self, text: str, lines: list[str], *, bad: bool) -> None:
        """Show a notice above the rows until the next one."""
        self.notice = {"text": text, "lines": lines, "bad": bad, "time": time.time()}
        self.version += 1

    def count(self, name: str, amount: int = 1) -> None:
        """Count requests, commands, refusals."""
        self.counters[name] = self.counters.get(name, 0) + amount
        self.version += 1

    def _touch(self, number: int) -> None:
        self.version += 1
        self.changed_rows.append((self.version, number))

    def since(self, version: int) -> list[Row]:
        """Rows that changed after a version, oldest first, each once."""
        numbers = dict.fromkeys(number for at, number in self.changed_rows if at > version)
        return [self.rows[number] for number in numbers if number in self.rows]


def _undelivered(row: Row) -> bool:
    """Whether nobody heard of it, so that no later step can belong to it."""
    return not str(row["steps"].get("sent", {}).get("outcome", "2")).startswith("2")


def _plain_subject(subject: str) -> str:
    kind, slash, number = subject.partition("/")
    return _ALIASES.get(kind, kind) + slash + number


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else time.time()
