"""What `make doctor` says of robots: which were refused, which start nothing."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ops.findings import LOOK, OK, Finding
from ops.secrets import ROBOTS, lines_of
from relay.event import ROBOT_PREFIX
from relay.ingress.robots import ROUTE

DAY_SECONDS = 24 * 3600
MAX_SHOWN = 3
PATTERN = (
    '{ ($.message = "refused" && $.route = "/robot/*") ||'
    f' ($.message = "published" && $.event_name = "{ROBOT_PREFIX}*") }}'
)


class RobotCalls(NamedTuple):
    """Calls of robots: refused ones by time (seconds since 1970) and code, others by name."""

    refused: list[tuple[float, str]]
    published: Counter[str]


def read_calls(logs: Any, group: str, seconds: float = DAY_SECONDS) -> RobotCalls:
    """Return the calls that ingress logged in the last `seconds`; raises botocore's errors."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern=PATTERN, startTime=int((time.time() - seconds) * 1000)
    )
    return calls_of(entry for page in pages for entry in page["events"])


def calls_of(entries: Iterable[Mapping[str, Any]]) -> RobotCalls:
    """Return the calls that log entries tell of; other entries are left out."""
    calls = RobotCalls([], Counter())
    for entry in entries:
        try:
            line = json.loads(entry["message"])
        except ValueError:
            continue
        if not isinstance(line, dict) or line.get("service") not in {"ingress", "republish"}:
            continue
        name = str(line.get("event_name"))
        if line.get("message") == "refused" and line.get("route") == ROUTE:
            calls.refused.append((entry["timestamp"] / 1000, str(line.get("code"))))
        elif line.get("message") == "published" and name.startswith(ROBOT_PREFIX):
            calls.published[name.removeprefix(ROBOT_PREFIX)] += 1
    return calls


def refusals(calls: RobotCalls) -> Iterator[str]:
    """Yield a sentence for each code with which calls were refused: how many, and when."""
    for code in sorted({code for _, code in calls.refused}):
        times = sorted((at for at, other in calls.refused if other == code), reverse=True)
        shown = ", ".join(
            time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at)) for at in times[:MAX_SHOWN]
        )
        more = ", …" if len(times) > MAX_SHOWN else ""
        remedy = {
            "not_verified": "an address has an old or wrong secret: `make robot` prints a new one",
            "malformed": "a call names no document: a link preview, or no robot",
        }.get(code, "it is no robot of Bitrix24")
        yield f"{len(times)} calls of {ROUTE} refused in a day, {code}, {shown}{more}; {remedy}"


def unheard(calls: RobotCalls, subscribed: set[str]) -> Iterator[str]:
    """Yield a sentence for each robot that called and that no reaction subscribes to."""
    for name, number in sorted(calls.published.items()):
        if name not in subscribed:
            yield (
                f"robot {name} called {number} times in a day, and no reaction subscribes to it: "
                f"`make robot NAME={name}`, or correct the name in the portal"
            )


def robot_findings(
    secrets: Mapping[str, dict[str, str]], calls: RobotCalls, subscribed: set[str]
) -> Iterator[Finding]:
    """Yield which portals have robots, and what was wrong with the calls of a day."""
    for portal, own in sorted(secrets.items()):
        if number := len(lines_of(own, ROBOTS)):
            yield Finding(OK, f"portal {portal}: {number} secret(s) of robots")
    if total := sum(calls.published.values()):
        yield Finding(OK, f"{total} calls of robots in a day")
    for text in (*refusals(calls), *unheard(calls, subscribed)):
        yield Finding(LOOK, text)
