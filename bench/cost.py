"""What does a million events cost? `python -m bench.cost`: counted locally, times list prices.

Deals are won: an event, a reading, a Change, and `follow_up`, which writes a task and a comment.
Once many at once, once one by one. Counted are requests, messages, units, bytes and seconds of
functions; the portal takes 0.4 s for a request, as one in the cloud does. Other reactions and
sweeps are left out of it, and stand in the fixed part. Functions run on this machine's processor:
what a function waits for is true, what it computes is a part of an x86 core.
"""

import json
import math
import sys
import tempfile
import time
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from local.aws import LocalAws
from local.demo import DemoPortal
from local.run import connect
from local.stack import Stack, deploy

BURST, ONE_BY_ONE = 200, 8
PORTAL_SECONDS = 0.4
LONGEST_SECONDS = 300
QUIET_SECONDS = 8
# List prices of us-east-1 in November 2026, in dollars; the free tiers are left out.
PRICES = {
    "HTTP API, requests": 1.00e-6,
    "Lambda, requests": 0.20e-6,
    "Lambda, GB and second (arm64)": 13.3334e-6,
    "SNS, requests of 64 KB": 0.50e-6,
    "SNS, GB of bodies that filters read": 0.09,
    "SQS, requests": 0.40e-6,
    "DynamoDB, write units": 0.625e-6,
    "DynamoDB, read units": 0.125e-6,
    "Logs, GB": 0.50,
}
ALARM, METRIC, FREE_ALARMS, FREE_METRICS = 0.10, 0.30, 10, 10
FUNCTIONS = ("Ingress", "Track", "Announce", "FollowUp")
FILTERS = {"publish": 3, "publish_batch": 1}  # subscriptions with a filter on the body, of a topic
LOG_EVENT_BYTES = 26  # that CloudWatch adds to each
GB = 1024**3


def size_of(value: Any) -> int:
    """Return the bytes of an item, an attribute or a value as DynamoDB counts them."""
    if isinstance(value, dict):
        return sum(len(name.encode()) + size_of(one) for name, one in value.items())
    if isinstance(value, list):
        return sum(map(size_of, value))
    return len(str(value).encode())


def units(target: str, body: Mapping[str, Any]) -> tuple[int, float]:
    """Return the write and read units of a request; an update's row is taken for its values."""

    def written(request: Mapping[str, Any]) -> int:
        item = request.get("Item") or request.get("ExpressionAttributeValues", {})
        return max(math.ceil(size_of(item) / 1024), 1)

    match target.rpartition(".")[2]:
        case "PutItem" | "UpdateItem":
            return written(body), 0
        case "TransactWriteItems":
            parts = [request for item in body["TransactItems"] for request in item.values()]
            return 2 * sum(map(written, parts)), 0
        case "BatchWriteItem":
            puts = [one for table in body["RequestItems"].values() for one in table]
            return sum(written(one["PutRequest"]) for one in puts), 0
        case "GetItem":
            return 0, 1 if body.get("ConsistentRead") else 0.5
        case "BatchGetItem":
            tables = body["RequestItems"].values()
            return 0, sum(len(t["Keys"]) * (1 if t.get("ConsistentRead") else 0.5) for t in tables)
    return 0, 0


def consumed(lines: Iterable[str], functions: Mapping[str, str]) -> defaultdict[str, float]:
    """Return what functions consume, by the names of PRICES, and the messages that they get.

    `functions` are the names of those that are counted by their physical ones.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for line in lines:
        request = json.loads(line)
        service, body = request["service"], request["body"]
        if service == "run":
            name = functions.get(request["target"])
            found["HTTP API, requests"] += name == "Ingress"
            found["messages"] += name == "Ingress"
            if name:
                found["Lambda, requests"] += 1
                found["Lambda, GB and second (arm64)"] += request["spent"]
        elif service == "dynamodb":
            writes, reads = units(request["target"], json.loads(body))
            found["DynamoDB, write units"] += writes
            found["DynamoDB, read units"] += reads
        elif service == "sns":
            form = dict(urllib.parse.parse_qsl(body))
            messages = [text for name, text in form.items() if name.endswith("Message")]
            if not form.get("Action", "").startswith("Publish"):
                continue
            kind = "publish" if form["Action"] == "Publish" else "publish_batch"
            found["messages"] += len(messages) * (kind == "publish_batch")
            length = sum(len(text.encode()) for text in messages)
            found["SNS, requests of 64 KB"] += max(math.ceil(length / 65536), 1)
            scanned = length * FILTERS[kind] / GB
            found["SNS, GB of bodies that filters read"] += scanned
        elif service == "sqs" and "ChangeMessageVisibility" in request["target"]:
            found["SQS, requests"] += 1
    return found


class Bench:
    """The deployed bundle, joined to a portal, and what it has consumed since the last time."""

    def __init__(self, aws: LocalAws, portal: DemoPortal, stack: Stack, usage: Path) -> None:
        self._aws, self._portal, self._stack, self._usage = aws, portal, stack, usage
        self._read = self._logged = 0
        self._functions = {stack.resources[f"{name}Function"]: name for name in FUNCTIONS}

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
                return ids
        raise RuntimeError(f"the mirror holds {count} of {deals} deals")

    def win(self, ids: list[int]) -> None:
        """Win deals at once; returns when each has its comment."""
        before = self._comments()
        self._portal.admin("bulk", ids=ids, fields={"stageId": "WON"})
        deadline = time.monotonic() + LONGEST_SECONDS
        while self._comments() - before < len(ids):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self._comments() - before} of {len(ids)} deals are followed")
            time.sleep(0.5)

    def _comments(self) -> int:
        return int(self._portal.admin("state", "GET")["counts"]["comment"])

    def settle(self) -> None:
        """Return when no function has anything to do: what a reaction wrote comes back too."""
        size, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            if size != (size := self._usage.stat().st_size):
                since = time.monotonic()
            time.sleep(0.5)

    def taken(self, messages_together: int) -> defaultdict[str, float]:
        """Return what was consumed since the last time."""
        self.settle()
        with self._usage.open("r", encoding="utf-8") as file:
            file.seek(self._read)
            found = consumed(file, self._functions)
            self._read = file.tell()
        # Sent by SNS, received and deleted by Lambda: each event for track, each Change once more.
        messages = found.pop("messages")
        found["SQS, requests"] += math.ceil(messages * (1 + 2 / min(messages_together, 10)))
        found["Logs, GB"] = self._logs() / GB
        return found

    def _logs(self) -> int:
        group, services = self._stack.outputs["LogGroup"], {"ingress", "track", "announce"}
        services |= {"follow_up", "FollowUp", "relay"}
        asked: dict[str, Any] = {"logGroupName": group, "startTime": self._logged}
        size = 0
        for page in self._aws.client("logs").get_paginator("filter_log_events").paginate(**asked):
            for event in page["events"]:
                text = event["message"]
                written = json.loads(text) if text.startswith("{") else {}
                if written.get("service") in services:
                    size += len(text.encode()) + LOG_EVENT_BYTES
                self._logged = max(self._logged, event["timestamp"] + 1)
        return size


def table(columns: Mapping[str, Mapping[str, float]]) -> None:
    """Print the dollars of a million, line by line and column by column."""
    print(f"{'a million events of won deals, $':40}" + "".join(f"{name:>14}" for name in columns))
    for name, price in PRICES.items():
        figures = [one.get(name, 0) * 1e6 * price for one in columns.values()]
        print(f"{name:40}" + "".join(f"{figure:14.2f}" for figure in figures))
    sums = [
        sum(one.get(name, 0) * 1e6 * price for name, price in PRICES.items())
        for one in columns.values()
    ]
    print(f"{'':40}" + "".join(f"{total:14.2f}" for total in sums))


def each(found: Mapping[str, float], number: int) -> dict[str, float]:
    """Return what one event consumes."""
    return {name: amount / number for name, amount in found.items()}


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        usage = Path(folder) / "usage"
        with LocalAws(usage_file=usage) as aws, DemoPortal() as portal:
            stack = deploy(aws, SweepMinutes="60")
            portal.admin("faults", kind="slow", seconds=PORTAL_SECONDS)
            connect(aws, portal, stack)
            bench = Bench(aws, portal, stack, usage)
            ids = bench.seeded(BURST + ONE_BY_ONE)
            bench.taken(1)
            bench.win(ids[:BURST])
            together = each(bench.taken(10), BURST)
            for one in ids[BURST:]:
                bench.win([one])
                bench.settle()
            alone = each(bench.taken(1), ONE_BY_ONE)
    table({"in bursts": together, "one by one": alone})
    return 0


if __name__ == "__main__":
    sys.exit(main())
