"""A stack's log as it grows: each line of its functions once."""

import json
import time
from collections.abc import Iterator
from typing import Any

LATE_MILLISECONDS = 5000  # lines of several functions arrive out of order


def follow(logs: Any, group: str, poll_seconds: float) -> Iterator[dict[str, Any] | None]:
    """Yield each structured line that is written from now on, and None before each pause."""
    since = int(time.time() * 1000)
    seen: dict[tuple[str, int, str], int] = {}
    while True:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=since - LATE_MILLISECONDS
        )
        for entry in (entry for page in pages for entry in page["events"]):
            # ministack leaves eventId out; a line of ours has its own time and ids in it
            key = entry.get("logStreamName", ""), entry["timestamp"], entry["message"]
            if key in seen:
                continue
            seen[key] = entry["timestamp"]
            if line := _structured(entry["message"]):
                yield line
        since = max([since, *seen.values()])
        seen = {key: at for key, at in seen.items() if at >= since - LATE_MILLISECONDS}
        yield None
        time.sleep(poll_seconds)


def _structured(message: str) -> dict[str, Any] | None:
    try:
        line = json.loads(message)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "message" in line else None
