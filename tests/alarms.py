"""CloudWatch's alarms of the processed template, evaluated as its documents say.

A period ends on a multiple of its length, and alarms look at ended ones. Where data are missing
CloudWatch looks at some periods more than the alarm says (two, in the table of the page
"Configuring how alarms treat missing data"): if it finds as many as it needs there, it takes those,
and what is still missing counts as `TreatMissingData` says.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MINUTE = 60
FURTHER_PERIODS = 2
STATISTICS = {"Sum": sum, "Maximum": max}
COMPARISONS = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}

type Key = tuple[str, str, frozenset[tuple[str, str]]]


def logical(value: Any) -> str:
    """Return the resource that a dimension is of, or the text that it is."""
    match value:
        case str():
            return value
        case {"Fn::Select": [_, one]} | {"Fn::Split": [_, one]} | {"Fn::GetAtt": [one, _]}:
            return logical(one)
        case {"Ref": one}:
            return logical(one)
    raise AssertionError(f"a dimension that nobody understands: {value}")


@dataclass(frozen=True)
class Alarm:
    """An alarm of the template."""

    key: Key
    statistic: str
    period: int
    periods: int
    datapoints: int
    threshold: float
    comparison: str
    missing: str

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> "Alarm":
        """Return an alarm by its properties."""
        dimensions = {(one["Name"], logical(one["Value"])) for one in properties["Dimensions"]}
        return cls(
            (properties["Namespace"], properties["MetricName"], frozenset(dimensions)),
            properties["Statistic"],
            int(properties["Period"]),
            int(properties["EvaluationPeriods"]),
            int(properties.get("DatapointsToAlarm", properties["EvaluationPeriods"])),
            float(properties["Threshold"]),
            properties["ComparisonOperator"],
            properties["TreatMissingData"],
        )

    def breaches(self, values: list[float]) -> bool:
        """Return whether a period with these values is one too bad."""
        return COMPARISONS[self.comparison](STATISTICS[self.statistic](values), self.threshold)

    def is_raised(self, values: Mapping[int, list[float]], now: float) -> bool:
        """Return whether it is in ALARM at a time, by the values of each period's number."""
        last = int(now // self.period)
        measured = [
            values[number]
            for number in range(last - 1, last - 1 - self.periods - FURTHER_PERIODS, -1)
            if number in values
        ]
        breaching = [self.breaches(period) for period in measured[: self.periods]]
        breaching += [self.missing == "breaching"] * (self.periods - len(breaching))
        return sum(breaching) >= self.datapoints


def alarms(resources: Mapping[str, Any]) -> dict[str, Alarm]:
    """Return the alarms of processed resources by name."""
    return {
        name: Alarm.of({"Dimensions": []} | one["Properties"])
        for name, one in resources.items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }


class Metrics:
    """What was measured, and when."""

    def __init__(self, namespace: str = "Relay/relay") -> None:
        self._namespace = namespace
        self._points: dict[Key, list[tuple[float, float]]] = defaultdict(list)

    def add(self, now: float, namespace: str, name: str, value: float = 1, **dimensions: str):
        """Take a value of a metric."""
        self._points[namespace, name, frozenset(dimensions.items())].append((now, value))

    def count(self, now: float, service: str, name: str, value: float = 1) -> None:
        """Take a value of a metric of the relay's own."""
        self.add(now, self._namespace, name, value, service=service)

    def printed(self, now: float, text: str) -> None:
        """Take what a function has written in the embedded metric format."""
        for line in text.splitlines():
            written = json.loads(line) if line.startswith("{") else {}
            for directive in written.get("_aws", {}).get("CloudWatchMetrics", ()):
                for names in directive["Dimensions"]:
                    dimensions = {name: written[name] for name in names}
                    for metric in directive["Metrics"]:
                        for value in written[metric["Name"]]:
                            name = metric["Name"]
                            self.add(now, self._namespace, name, value, **dimensions)

    def raised(self, watched: Mapping[str, Alarm], start: float, end: float) -> dict[str, float]:
        """Return which alarms are raised between two times, each by the seconds after the first."""
        found: dict[str, float] = {}
        for name, alarm in watched.items():
            values: dict[int, list[float]] = defaultdict(list)
            for at, value in self._points.get(alarm.key, ()):
                values[int(at // alarm.period)].append(value)
            if alarm.missing != "breaching" and not any(map(alarm.breaches, values.values())):
                continue
            now = start
            while now <= end and not alarm.is_raised(values, now):
                now += MINUTE
            if now <= end:
                found[name] = now - start
        return found
