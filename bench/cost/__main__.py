"""What does a million events cost? `python -m bench.cost [COLUMN …]`: counted, times list prices.

Deals are won: an event, a reading, a Change, and `follow_up`, which writes a task and a comment.
Once many at once, once one by one; once with a webhook that sends events of deals only, once with
one that sends those of the task and the comment too, which are tracked and start nothing. The
portal takes 0.4 s for a request, as one in the cloud does. Other reactions and sweeps are left out,
and stand in the fixed part. What functions wait for is measured; what they compute is measured too,
and stretched to the part of a processor that their memory brings. Their starts are not counted.
"""

import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.cost import fixed, prices
from bench.cost.usage import GB, Details, Usage, by_function, consumed
from local.aws import LocalAws
from local.demo import DemoPortal
from local.run import connect
from local.stack import STACK, Stack, deploy

BURST, ONE_BY_ONE = 200, 8
WARM_UP = 3  # deals after a burst: copies have learned by then that the portal is idle
EVENTS = {"deals": ["ONCRMDEALUPDATE"], "all events": []}
WAYS = ("in bursts", "one by one")
COLUMNS = [f"{events}, {way}" for events in EVENTS for way in WAYS]
PORTAL_SECONDS = 0.4
LONGEST_SECONDS = 300
QUIET_SECONDS = 8
SWEEP_MINUTES, SWEEP_MEGABYTES = 5, 512  # the template's
FUNCTIONS = ("Ingress", "Track", "Announce", "FollowUp")
SERVICES = {"ingress", "track", "announce", "follow_up", "FollowUp", "relay"}
LOG_EVENT_BYTES = 26  # that CloudWatch adds to each
MOST_TOGETHER = 10  # messages in a receive or a delete


class Bench:
    """The deployed bundle, joined to a portal, and what it has consumed since the last time."""

    def __init__(self, aws: LocalAws, portal: DemoPortal, stack: Stack, usage: Path) -> None:
        self._aws, self._portal, self._stack, self._usage = aws, portal, stack, usage
        self._read = self._logged = 0
        self._names = {name: stack.resources[f"{name}Function"] for name in FUNCTIONS}
        self._computed = dict.fromkeys(FUNCTIONS, 0.0)
        self.details: dict[str, Details] = {}  # of each function, when last taken
        self.metrics: set[str] = set()

    def seeded(self, deals: int) -> list[int]:
        """Return new deals that the mirror holds."""
        items = [{"title": f"Deal {number}", "stageId": "NEW"} for number in range(deals)]
        ids: list[int] = self._portal.admin("import", entityTypeId=2, items=items)["ids"]
        deadline = time.monotonic() + LONGEST_SECONDS
        table, sweep = self._stack.resources["Mirror"], self._stack.resources["SweepFunction"]
        while time.monotonic() < deadline:
            self._aws.client("lambda").invoke(FunctionName=sweep, Payload=b"{}")
            time.sleep(5)
            count = self._aws.client("dynamodb").scan(TableName=table, Select="COUNT")["Count"]
            if count >= deals:
                self._aws.client("lambda").invoke(FunctionName=sweep, Payload=b"{}")  # filled: done
                return ids
        raise RuntimeError(f"the mirror holds {count} of {deals} deals")

    def subscribe(self, *events: str) -> None:
        """Let the portal's webhook send these events only; all without one."""
        (webhook,) = self._portal.admin("state", "GET")["outgoing"]
        self._portal.admin("outgoing", "PATCH", id=webhook["id"], events=events)

    def win(self, ids: list[int]) -> None:
        """Win deals at once; returns when each has its comment, and nothing is left to do."""
        before = self._comments()
        self._portal.admin("bulk", ids=ids, fields={"stageId": "WON"})
        deadline = time.monotonic() + LONGEST_SECONDS
        while self._comments() - before < len(ids):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self._comments() - before} of {len(ids)} deals are followed")
            time.sleep(0.5)
        self._settle()

    def _comments(self) -> int:
        return int(self._portal.admin("state", "GET")["counts"]["comment"])

    def _settle(self) -> None:
        size, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            if size != (size := self._usage.stat().st_size):
                since = time.monotonic()
            time.sleep(0.5)

    def taken(self, deals: int, together: int) -> dict[str, float]:
        """Return what each of so many deals has consumed since the last time."""
        usage = self._used()
        amounts = usage.amounts
        # Sent by SNS, received and deleted by Lambda: each event for track, each Change once more.
        requests = 1 + 2 / min(together, MOST_TOGETHER)
        amounts["SQS, requests"] += math.ceil(usage.messages * requests)
        amounts["SQS, requests of fair queues, on top"] = math.ceil(usage.grouped * requests)
        amounts["Logs, GB"] = self._logs(usage) / GB
        for name, runs in usage.runs.items():
            computed = self._computed_by(name)
            amounts["Lambda, GB and second, arm64"] += runs.gb_seconds(computed)
            details = usage.details[name]
            details["runs"] += len(runs.seconds)
            details["computed, ms"] += round(computed * 1000)
            details["waited, ms"] += round(runs.waited_seconds(computed) * 1000)
        self.details = {name: usage.details[name] for name in FUNCTIONS}
        return {name: amount / deals for name, amount in amounts.items()}

    def _used(self) -> Usage:
        with self._usage.open("r", encoding="utf-8") as file:
            file.seek(self._read)
            found = consumed(file, {physical: name for name, physical in self._names.items()})
            self._read = file.tell()
        return found

    def _computed_by(self, name: str) -> float:
        """Return a function's processor seconds since the last time."""
        before = self._computed[name]
        self._computed[name] = self._aws.processor_seconds(self._names[name])
        return max(self._computed[name] - before, 0)

    def _logs(self, usage: Usage) -> int:
        asked: dict[str, Any] = {
            "logGroupName": self._stack.outputs["LogGroup"],
            "startTime": self._logged,
        }
        size = 0
        for page in self._aws.client("logs").get_paginator("filter_log_events").paginate(**asked):
            for event in page["events"]:
                text = event["message"]
                written = json.loads(text) if text.startswith("{") else {}
                if written.get("service") in SERVICES:
                    length = len(text.encode()) + LOG_EVENT_BYTES
                    size += length
                    stream = event["logStreamName"]
                    name = next(one for one, physical in self._names.items() if physical in stream)
                    usage.details[name]["log lines"] += 1
                    usage.details[name]["log bytes"] += length
                for directive in written.get("_aws", {}).get("CloudWatchMetrics", ()):
                    of = written.get("service")
                    self.metrics |= {f"{of} {metric['Name']}" for metric in directive["Metrics"]}
                self._logged = max(self._logged, event["timestamp"] + 1)
        return size


def kinds(aws: LocalAws) -> list[str]:
    """Return the types of the stack's resources."""
    pages = aws.client("cloudformation").get_paginator("list_stack_resources")
    return [
        one["ResourceType"]
        for page in pages.paginate(StackName=STACK)
        for one in page["StackResourceSummaries"]
    ]


def main() -> int:
    """Measure and print tables in Markdown, of these columns only if arguments name some."""
    wanted = [one for one in COLUMNS if one in sys.argv[1:]] or COLUMNS
    columns: dict[str, dict[str, float]] = {}
    details: dict[str, dict[str, Details]] = {}
    with tempfile.TemporaryDirectory() as folder:
        usage = Path(folder) / "usage"
        with LocalAws(usage_file=usage) as aws, DemoPortal() as portal:
            stack = deploy(aws, SweepMinutes="60")
            portal.admin("faults", kind="slow", seconds=PORTAL_SECONDS)
            connect(aws, portal, stack)
            bench = Bench(aws, portal, stack, usage)
            bursts, singles = (sum(way in one for one in wanted) for way in WAYS)
            ids = bench.seeded((bursts + 1) * BURST + singles * (ONE_BY_ONE + WARM_UP))
            if bursts:
                bench.win([ids.pop() for _ in range(BURST)])  # what starts is not counted
            for column in wanted:
                bench.subscribe(*EVENTS[column.partition(",")[0]])
                if WAYS[0] in column:
                    bench.taken(1, 1)
                    bench.win([ids.pop() for _ in range(BURST)])
                    columns[column] = bench.taken(BURST, MOST_TOGETHER)
                    continue
                for _ in range(WARM_UP):
                    bench.win([ids.pop()])
                bench.taken(1, 1)
                for _ in range(ONE_BY_ONE):
                    bench.win([ids.pop()])
                columns[column] = bench.taken(ONE_BY_ONE, 1)
                details[column] = bench.details
            idle = fixed.fixed(kinds(aws), SWEEP_MINUTES, SWEEP_MEGABYTES)
            print(*prices.amounts(columns), "", *prices.table(columns), "", sep="\n")
            print(*fixed.lines(idle), "", sep="\n")
            for name, found in details.items():
                print(*by_function(f"{name}: a won deal", found, ONE_BY_ONE), "", sep="\n")
            print(f"{len(bench.metrics)} metrics in such an hour: {sorted(bench.metrics)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
