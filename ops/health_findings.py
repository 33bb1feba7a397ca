"""What `make doctor` says of the whole: alarms that are raised, and how late reactions are."""

import json
from collections.abc import Iterator
from typing import Any

from ops.ages import age
from ops.deployed import Deployed
from ops.findings import BAD, LOOK, OK, Finding
from ops.pause import PAUSED_SUFFIX

LAG_SECONDS, LAG_PAGES = 900.0, 5  # what is looked at: 15 minutes, 50,000 lines at most
SLOW_SECONDS = 60.0
PERCENTILE = 0.95
PATTERN = '{ $.message = "handled" }'


def alarm_findings(cloudwatch: Any, stack: Deployed, now: float) -> Iterator[Finding]:
    """Yield the stack's alarms that are raised, with what each of them means."""
    own = set(stack.resources.values())
    raised = 0
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        StateValue="ALARM", AlarmNamePrefix=f"{stack.name}-"
    )
    for alarm in (one for page in pages for one in page["MetricAlarms"]):
        name = alarm["AlarmName"]
        if name not in own and not name.endswith(PAUSED_SUFFIX):
            continue  # of a stack whose name begins the same
        raised += 1
        since = age(now - alarm["StateUpdatedTimestamp"].timestamp())
        short = next((key for key, value in stack.resources.items() if value == name), name)
        yield Finding(
            BAD, f"{short} for {since}: {alarm.get('AlarmDescription')} (docs/operating.md)"
        )
    if not raised:
        yield Finding(OK, "no alarm is raised")


def lag_findings(logs: Any, group: str, now: float) -> Iterator[Finding]:
    """Yield how late reactions end after the reading of what they react to."""
    lags = sorted(_lags(logs, group, now - LAG_SECONDS))
    if not lags:
        yield Finding(OK, "no reaction has handled anything in 15 minutes")
        return
    late = lags[min(int(len(lags) * PERCENTILE), len(lags) - 1)]
    text = f"95 % of {len(lags)} records were handled within {late:.1f} s of their reading"
    if late < SLOW_SECONDS:
        yield Finding(OK, text)
    else:
        yield Finding(LOOK, f"{text}; `make logs` says which come back, and why")


def _lags(logs: Any, group: str, since: float) -> Iterator[float]:
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern=PATTERN, startTime=int(since * 1000)
    )
    for _, page in zip(range(LAG_PAGES), pages, strict=False):
        for entry in page["events"]:
            try:
                line = json.loads(entry["message"])
                if line["message"] == "handled":
                    yield float(line["lag"])
            except (ValueError, KeyError, TypeError):
                continue
