"""The functions' log as it grows: each of their lines once."""

import json
import time
from collections.abc import Iterator
from typing import Any

POLL_SECONDS = 0.3


def follow(logs: Any, group: str, seconds: float = float("inf")) -> Iterator[dict[str, Any]]:
    """Yield each structured line that is written from now on, until `seconds` have passed."""
    since, seen = int(time.time() * 1000), set()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        newest = since
        pages = logs.get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=group, startTime=since):
            for entry in page["events"]:
                # ministack leaves eventId out; a line of ours has its own time and ids in it
                key = entry.get("logStreamName"), entry["timestamp"], entry["message"]
                if key in seen:
                    continue
                seen.add(key)
                newest = max(newest, entry["timestamp"])
                try:
                    line = json.loads(entry["message"])
                except ValueError:
                    continue
                if isinstance(line, dict) and "message" in line:
                    yield line
        since = max(since, newest - 2000)  # lines of several functions arrive out of order
        time.sleep(POLL_SECONDS)
