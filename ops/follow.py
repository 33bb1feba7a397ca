"""The log of a stack's functions as it grows, each line once."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ops.mapping import reaction_name

LATE_MILLISECONDS = 5000  # lines of several functions arrive out of order
_PLATFORM = re.compile(r"(START|END|REPORT) RequestId: |INIT_START ")
_FUNCTION = re.compile(r"-(\w+)Function-[\w-]*\[")  # in the name of a stream of a shared log group


def follow(logs: Any, group: str, poll_seconds: float) -> Iterator[dict[str, Any] | None]:
    """Yield each line that is logged from now on, and None before each pause.

    A line that is no JSON, as of print(), becomes the `message` of one that is `printed`.
    """
    since = int(time.time() * 1000)
    yielded: dict[tuple[str, int, str, int], int] = {}  # line -> its time
    while True:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=since - LATE_MILLISECONDS
        )
        equal: Counter[tuple[str, int, str]] = Counter()
        for entry in (entry for page in pages for entry in page["events"]):
            # ministack leaves eventId out; printed lines may be equal
            text = entry.get("logStreamName", ""), entry["timestamp"], entry["message"]
            equal[text] += 1
            key = (*text, equal[text])
            if key in yielded:
                continue
            yielded[key] = entry["timestamp"]
            if line := _line(entry):
                yield line
        since = max([since, *yielded.values()])
        yielded = {key: at for key, at in yielded.items() if at >= since - LATE_MILLISECONDS}
        yield None
        time.sleep(poll_seconds)


def _line(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a line; None for metrics, and for the platform's start and end of each run."""
    text = entry["message"].rstrip()
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    line = found if isinstance(found, dict) else {}
    if not text or _PLATFORM.match(text) or "_aws" in line:
        return None
    function = _FUNCTION.search(entry.get("logStreamName", ""))
    logical, name = (function[1], reaction_name(function[1])) if function else ("", "")
    if "message" not in line:
        at = datetime.fromtimestamp(entry["timestamp"] / 1000, UTC)
        line = {"timestamp": f"{at:%Y-%m-%d %H:%M:%S}", "message": text, "printed": True}
    if line.get("service", logical) == logical:  # a Logger() of the code
        line["service"] = name
    return line
