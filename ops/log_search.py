"""Lines in the log of a stack that contain a text, in a span of time.

FilterLogEvents gives up to 10,000 lines or 1 MB a page; a page may be empty and others follow. It
is asked for short spans only, and for parts of them at once: it scans all lines of a span. Its
requests are limited to some a second for the whole account (botocore waits and repeats).
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain, count, pairwise
from typing import Any, NamedTuple

from ops.progress import Progress

PARTS = 4  # of all spans together, asked for at once
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
    progress, numbers = Progress("searching the log, pages read"), count(1)

    def read(span: Span) -> list[dict[str, Any]]:
        entries = []
        for page in logs.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            filterPattern=f'"{text}"',
            startTime=int(span.begin * 1000),
            endTime=int(span.end * 1000),
        ):
            progress.at(next(numbers))
            entries += page["events"]
        return entries

    with ThreadPoolExecutor(PARTS) as threads:
        found = chain.from_iterable(threads.map(read, _parts(list(_joined(spans)))))
        # A line at the end of one part is at the beginning of the next one, too.
        entries = {entry["message"]: entry["timestamp"] / 1000 for entry in found}
    lines = (_line(message, at) for message, at in entries.items())
    return sorted(filter(None, lines), key=lambda line: line.at)


def _parts(spans: list[Span]) -> Iterator[Span]:
    """Yield parts of spans, of each as many."""
    number = max(PARTS // len(spans), 1)
    for begin, end in spans:
        edges = [begin + (end - begin) * part / number for part in range(number)]
        yield from (Span(*part) for part in pairwise([*edges, end]))


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
