"""What CloudWatch would have for the dashboard, from the log lines of the local stack."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

type Points = list[tuple[float, float]]  # time (epoch s), value
_SEARCH = re.compile(r"SEARCH\('\{([^}]*)\} ?(.*)', '(\w+)', \d+\)")
_STATS = re.compile(r"(count|max|avg|latest)\((\w*)\) as (\w+)")


@dataclass(frozen=True)
class Metric:
    """A metric's namespace, name, and dimensions as they stand beside it."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


class Figures:
    """Metrics with their points, and log lines with their times."""

    def __init__(self) -> None:
        self.points: defaultdict[Metric, Points] = defaultdict(list)
        self.lines: list[tuple[float, dict[str, Any]]] = []

    def log(self, at: float, text: str) -> None:
        """Take a log line: one in the embedded metric format has points, any other is searched."""
        line = json.loads(text) if text.startswith("{") else {}
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            names = directive["Dimensions"][0]
            dimensions = tuple((name, str(line[name])) for name in names)
            for one in directive["Metrics"]:
                metric = Metric(directive["Namespace"], one["Name"], dimensions)
                self.points[metric] += [(at, float(value)) for value in line[one["Name"]]]
        if line and "_aws" not in line:
            self.lines.append((at, line))

    def found(self, parts: Sequence[str]) -> list[Metric]:
        """Return the metric that a widget names in full: namespace, name, dimensions."""
        namespace, name, *pairs = parts
        return [Metric(namespace, name, tuple(zip(pairs[::2], pairs[1::2], strict=True)))]

    def searched(self, expression: str) -> list[Metric]:
        """Return the metrics that a SEARCH finds: each of its words is in them."""
        found = _SEARCH.fullmatch(expression)
        if found is None:
            raise ValueError(f"a search that is not understood: {expression}")
        namespace, *names = found[1].replace('"', "").split(",")
        words = re.sub(r"[()]", "", found[2]).replace(" OR ", "|").split()
        return [
            metric
            for metric in sorted(self.points, key=str)
            if metric.namespace == namespace
            and sorted(name for name, _ in metric.dimensions) == sorted(names)
            and all(_has(metric, word) for word in words)
        ]

    def asked(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query of Logs Insights: a filter, then statistics by fields."""
        _, *steps = (step.strip() for step in query.split("|"))
        lines = [(at, line) for at, line in self.lines if _passes(steps[0], line)]
        stats, _, by = steps[1].removeprefix("stats ").rpartition(" by ")
        groups: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
        for at, line in lines:
            names = [name.strip() for name in by.split(",")]
            key = tuple(_bin(at) if name.startswith("bin(") else line.get(name) for name in names)
            groups[key].append(line)
        return [
            dict(zip(by.replace(" ", "").split(","), key, strict=True)) | _stats(stats, of)
            for key, of in sorted(groups.items(), key=lambda group: str(group[0]))
        ]


def _has(metric: Metric, word: str) -> bool:
    """Say whether a word of a search is in a metric; its alternatives stand beside each other."""
    tokens = set(re.split(r"[^A-Za-z0-9]+", " ".join((metric.name, *sum(metric.dimensions, ())))))
    for one in word.split("|"):
        name, _, value = one.rpartition("=")
        if name == "MetricName" and metric.name == value:
            return True
        if name and (name, value) in metric.dimensions:
            return True
        if not name and (value in tokens or value in metric.name.split("_")):
            return True
    return False


def _passes(step: str, line: Mapping[str, Any]) -> bool:
    name, how, given = step.removeprefix("filter ").split(" ", 2)
    texts = re.findall("'([^']*)'", given)
    if how not in {"=", "in", "like"}:
        raise ValueError(f"a filter that is not understood: {step}")
    if how == "like":
        return any(text in str(line.get(name)) for text in texts)
    return str(line.get(name)) in texts


def _stats(stats: str, lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for function, name, alias in _STATS.findall(stats):
        values = [line.get(name) for line in lines] if name else list(lines)
        numbers = [one for one in values if isinstance(one, (int, float))]
        match function:
            case "latest":
                row[alias] = values[-1]
            case "count":
                row[alias] = len(values)
            case "max":
                row[alias] = max(numbers)
            case "avg":
                row[alias] = sum(numbers) / len(numbers)
    return row


def _bin(at: float) -> float:
    return at // BIN_SECONDS * BIN_SECONDS


BIN_SECONDS = 10  # in place of five minutes: a local run is short
