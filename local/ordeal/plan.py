"""How hard an ordeal is to be, and what became of it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of it: so many acts, evenly over so many seconds, a trouble every `every`."""

    seed: int
    acts: int
    seconds: float
    every: float = 0.9
    hard: bool = False
    patience_seconds: float = 90


@dataclass(slots=True)
class Report:
    """What was done, and what does not hold."""

    told: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
