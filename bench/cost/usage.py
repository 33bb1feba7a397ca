"""What the local stack has consumed, from the lines that local/faithful_aws.py writes of it."""

import json
import math
import statistics
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_MEGABYTES = 1769  # with them a function has a whole processor
FILTERS = {"publish": 1, "publish_batch": 1}  # of track and of the reaction, on the body
GB = 1024**3
type Details = defaultdict[str, float]


@dataclass(slots=True)
class Runs:
    """The runs of one function: their number, seconds each, and memory."""

    seconds: list[float] = field(default_factory=list)
    megabytes: float = 0.0

    def gb_seconds(self, processor_seconds: float) -> float:
        """Return what is billed, of seconds on a whole processor and of those waited beside."""
        share = min(self.megabytes / MOST_MEGABYTES, 1)
        waited = self.waited_seconds(processor_seconds)
        return (waited + processor_seconds / share) * self.megabytes / 1024

    def waited_seconds(self, processor_seconds: float) -> float:
        """Return the seconds of all runs in which they did not compute.

        The fastest tenth of the runs stands for all: on AWS a function does not share a processor
        with the services that it waits for, as it does here.
        """
        if not self.seconds:
            return 0.0
        fast = sorted(self.seconds)[: max(len(self.seconds) // 10, 1)]
        return max(statistics.mean(fast) * len(self.seconds) - processor_seconds, 0)


def _details() -> Details:
    return defaultdict(float)


@dataclass(slots=True)
class Usage:
    """What was consumed: by the names of PRICES, the runs by function, messages that came.

    `grouped` are those of them that have a group, which makes their queue a fair one. `details`
    are AWS calls and units by kind of row, of each function.
    """

    amounts: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    runs: defaultdict[str, Runs] = field(default_factory=lambda: defaultdict(Runs))
    messages: int = 0
    grouped: int = 0
    details: defaultdict[str, Details] = field(default_factory=lambda: defaultdict(_details))


def size_of(value: Any) -> int:
    """Return the bytes of an item, an attribute or a value as DynamoDB counts them."""
    if isinstance(value, dict):
        return sum(len(name.encode()) + size_of(one) for name, one in value.items())
    if isinstance(value, list):
        return sum(map(size_of, value))
    return len(str(value).encode())


def rows(target: str, body: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Yield kind, write units and read units of each row of a request.

    An update's row is taken for its values. The kind of a State table's row is what stands before
    the first `#` of its key.
    """
    match target.rpartition(".")[2]:
        case "PutItem" | "UpdateItem" | "GetItem":
            requests = [(body["Item"] if "Item" in body else body["Key"], body)]
        case "BatchWriteItem":
            puts = [one["PutRequest"] for some in body["RequestItems"].values() for one in some]
            requests = [(put["Item"], put) for put in puts]
        case "BatchGetItem":
            asked = body["RequestItems"].values()
            requests = [(key, ask) for ask in asked for key in ask["Keys"]]
        case _:
            return
    for key, request in requests:
        kind, is_state, _ = str(key["pk"]["S"]).partition("#")
        if not is_state:
            kind = "history" if "sk" in key else "mirror"
        if target.endswith("GetItem"):
            yield kind, 0, 1 if request.get("ConsistentRead") else 0.5
        else:
            written = request.get("Item") or request.get("ExpressionAttributeValues", {})
            yield kind, max(math.ceil(size_of(written) / 1024), 1), 0


def consumed(lines: Iterable[str], functions: Mapping[str, str]) -> Usage:
    """Return what functions consumed; `functions` are the counted ones by their physical names."""
    found = Usage()
    for line in lines:
        request = json.loads(line)
        service, body = request["service"], request["body"]
        if service == "run":
            if name := functions.get(request["target"]):
                _count_run(found, name, request)
            continue
        details = found.details[functions.get(request["caller"], "")]
        action = request["target"].rpartition(".")[2] or _action(body)
        details[f"AWS calls: {action}"] += 1
        if service == "dynamodb":
            for kind, writes, reads in rows(request["target"], json.loads(body)):
                found.amounts["DynamoDB, write units"] += writes
                found.amounts["DynamoDB, read units"] += reads
                details[f"write units: {kind}"] += writes
                details[f"read units: {kind}"] += reads
        elif service == "sns":
            _count_published(found, dict(urllib.parse.parse_qsl(body)))
        elif service == "sqs" and "ChangeMessageVisibility" in request["target"]:
            found.amounts["SQS, requests"] += 1
    return found


def _action(body: str) -> str:
    return dict(urllib.parse.parse_qsl(body)).get("Action", "")


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


def by_function(title: str, details: Mapping[str, Mapping[str, float]], deals: int) -> list[str]:
    """Return what each function has done for a deal, as a table in Markdown."""
    lines = [f"| {title} | {' | '.join(details)} |", f"|{'---|' * (len(details) + 1)}"]
    for what in sorted({name.partition(": ")[0] for one in details.values() for name in one}):
        cells = [", ".join(_parts(what, one, deals)) for one in details.values()]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return lines


def _parts(what: str, details: Mapping[str, float], deals: int) -> Iterator[str]:
    """Yield the amounts of a line for a deal: "3 done", or "3" of one without parts."""
    for name, amount in sorted(details.items()):
        group, _, part = name.partition(": ")
        if group == what and amount:
            yield f"{amount / deals:.3g} {part}".strip()
