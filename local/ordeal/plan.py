"""The size of an ordeal, and its result."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """So many edits, evenly over so many seconds, and a fault each `fault_every` seconds.

    `hard`: any answer may be lost, and reactions are killed.
    """

    seed: int
    edits: int
    seconds: float
    fault_every: float = 0.9
    hard: bool = False
    patience_seconds: float = 90


@dataclass(slots=True)
class Report:
    """How often what was done, and the promises that do not hold, each in a sentence."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
