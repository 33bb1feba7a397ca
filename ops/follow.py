"""The log of a stack's functions as it grows, each line once."""

import json
import time
from collections.abc import Iterator
from typing import Any

LATE_MILLISECONDS = 5000  # lines of several functions arrive out of order


def follow(logs: Any, group: str, poll_seconds: float) -> Iterator[dict[str, Any] | None]:
    """Yield each line of JSON that is logged from now on, and None before each pause."""
    since = int(time.time() * 1000)
    yielded: dict[tuple[str, int, str], int] = {}  # line -> its time
    while True:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=since - LATE_MILLISECONDS
        )
        for entry in (entry for page in pages for entry in page["events"]):
            # ministack leaves eventId out; each of our lines has its own time and ids
            key = entry.get("logStreamName", ""), entry["timestamp"], entry["message"]
            if key in yielded:
                continue
            yielded[key] = entry["timestamp"]
            if line := _structured(entry["message"]):
                yield line
        since = max([since, *yielded.values()])
        yielded = {key: at for key, at in yielded.items() if at >= since - LATE_MILLISECONDS}
        yield None
        time.sleep(poll_seconds)


def _structured(message: str) -> dict[str, Any] | None:
    try:
        line = json.loads(message)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "message" in line else None
