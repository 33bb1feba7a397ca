"""What the local stack has consumed, from the lines that local/faithful_aws.py writes of it."""

import json
import math
import statistics
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_MEGABYTES = 1769  # with them a function has a whole processor
FILTERS = {"publish": 1, "publish_batch": 1}  # of track and of the reaction, on the body
GB = 1024**3


@dataclass(slots=True)
class Runs:
    """The runs of one function: their number, seconds each, and memory."""

    seconds: list[float] = field(default_factory=list)
    megabytes: float = 0.0

    def gb_seconds(self, processor_seconds: float) -> float:
        """Return what is billed, of seconds on a whole processor and of those waited beside.

        The fastest tenth of the runs stands for all: on AWS a function does not share a processor
        with the services that it waits for, as it does here.
        """
        if not self.seconds:
            return 0.0
        fast = sorted(self.seconds)[: max(len(self.seconds) // 10, 1)]
        # A run's seconds have those in it that it computed, on a whole processor here.
        waited = max(statistics.mean(fast) * len(self.seconds) - processor_seconds, 0)
        share = min(self.megabytes / MOST_MEGABYTES, 1)
        return (waited + processor_seconds / share) * self.megabytes / 1024


@dataclass(slots=True)
class Usage:
    """What was consumed: by the names of PRICES, the runs by function, messages that came.

    `grouped` are those of them that have a group, which makes their queue a fair one.
    """

    amounts: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    runs: defaultdict[str, Runs] = field(default_factory=lambda: defaultdict(Runs))
    messages: int = 0
    grouped: int = 0


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
        case "BatchWriteItem":
            puts = [one for table in body["RequestItems"].values() for one in table]
            return sum(written(one["PutRequest"]) for one in puts), 0
        case "GetItem":
            return 0, 1 if body.get("ConsistentRead") else 0.5
        case "BatchGetItem":
            tables = body["RequestItems"].values()
            return 0, sum(len(t["Keys"]) * (1 if t.get("ConsistentRead") else 0.5) for t in tables)
    return 0, 0


def consumed(lines: Iterable[str], functions: Mapping[str, str]) -> Usage:
    """Return what functions consumed; `functions` are the counted ones by their physical names."""
    found = Usage()
    for line in lines:
        request = json.loads(line)
        service, body = request["service"], request["body"]
        if service == "run":
            if name := functions.get(request["target"]):
                _count_run(found, name, request)
        elif service == "dynamodb":
            writes, reads = units(request["target"], json.loads(body))
            found.amounts["DynamoDB, write units"] += writes
            found.amounts["DynamoDB, read units"] += reads
        elif service == "sns":
            _count_published(found, dict(urllib.parse.parse_qsl(body)))
        elif service == "sqs" and "ChangeMessageVisibility" in request["target"]:
            found.amounts["SQS, requests"] += 1
    return found


def _count_run(found: Usage, name: str, run: Mapping[str, Any]) -> None:
    found.amounts["HTTP API, requests"] += name == "Ingress"
    found.amounts["Lambda, requests"] += 1
    found.messages += name == "Ingress"
    found.runs[name].seconds.append(run["seconds"])
    found.runs[name].megabytes = run["megabytes"]


def _count_published(found: Usage, form: Mapping[str, str]) -> None:
    if not form.get("Action", "").startswith("Publish"):
        return
    messages = [text for name, text in form.items() if name.endswith("Message")]
    kind = "publish" if form["Action"] == "Publish" else "publish_batch"
    found.messages += len(messages) * (kind == "publish_batch")
    found.grouped += sum(name.endswith("MessageGroupId") for name in form)
    length = sum(len(text.encode()) for text in messages)
    found.amounts["SNS, requests of 64 KB"] += max(math.ceil(length / 65536), 1)
    found.amounts["SNS, GB of bodies that filters read"] += length * FILTERS[kind] / GB
