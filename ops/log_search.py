"""Lines in the log of a stack that contain a text, in a span of time.

FilterLogEvents gives up to 10,000 lines or 1 MB a page; a page may be empty and others follow. It
is asked for short spans only: it scans all lines of a span, and its requests are limited to some a
second for the whole account (botocore waits and repeats).
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from ops.progress import Progress

CLOCK = "%Y-%m-%d %H:%M:%S,%f%z"  # as the functions' loggers write it

type Fields = dict[str, Any]


class Span(NamedTuple):
    """A span of time, epoch s."""

    begin: float
    end: float


class Line(NamedTuple):
    """A line of a function: when it was written (epoch s), and its fields."""

    at: float
    fields: Fields

    def get(self, name: str) -> str:
        """Return a field as text; empty where it is missing or null."""
        value = self.fields.get(name)
        return "" if value is None else str(value)


def search(logs: Any, group: str, text: str, spans: list[Span]) -> list[Line]:
    """Return the lines that contain a text, the oldest first, each once."""
    progress, found = Progress("searching the log, pages read"), dict[str, Line]()
    number = 0
    for span in _joined(spans):
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            filterPattern=f'"{text}"',
            startTime=int(span.begin * 1000),
            endTime=int(span.end * 1000),
        )
        for page in pages:
            number += 1
            progress.at(number)
            for entry in page["events"]:
                if line := _line(entry["message"], entry["timestamp"] / 1000):
                    found[entry["message"]] = line
    return sorted(found.values(), key=lambda line: line.at)


def _joined(spans: list[Span]) -> Iterator[Span]:
    """Yield spans that do not overlap."""
    begin = end = None
    for span in sorted(spans):
        if end is not None and begin is not None and span.begin <= end:
            end = max(end, span.end)
            continue
        if begin is not None and end is not None:
            yield Span(begin, end)
        begin, end = span
    if begin is not None and end is not None:
        yield Span(begin, end)


def _line(message: str, logged_at: float) -> Line | None:
    try:
        fields = json.loads(message)
    except ValueError:
        return None
    if not isinstance(fields, dict) or "message" not in fields:
        return None
    try:
        at = datetime.strptime(str(fields["timestamp"]), CLOCK).astimezone().timestamp()
    except (KeyError, ValueError):
        at = logged_at
    return Line(at, fields)
