"""What the stack costs in a month in which nothing happens, by its resources alone."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from bench.cost.prices import ALARM, FREE_ALARMS, FREE_SQS_REQUESTS, PRICES

DAYS = 30
# Lambda polls a queue with five long polls of 20 s where MaximumConcurrency is set ("this
# optimization", down to two, "is not available": its page on scaling SQS mappings).
POLLS_A_DAY = 5 * 24 * 3600 / 20
SWEEP_SECONDS = 2  # at most, where nothing has changed
MIRROR_GB = 0.03  # 10,000 deals; the table and its backups


def fixed(kinds: Iterable[str], sweep_minutes: int, sweep_megabytes: int) -> dict[str, float]:
    """Return the dollars of each line, by the types of the stack's resources."""
    counted = Counter(kinds)
    alarms = counted["AWS::CloudWatch::Alarm"]
    queues = counted["AWS::Lambda::EventSourceMapping"] - 1  # polling the stream is free
    polls = queues * POLLS_A_DAY * DAYS
    sweeps = DAYS * 24 * 60 / sweep_minutes
    computed = sweeps * SWEEP_SECONDS * sweep_megabytes / 1024
    computed *= PRICES["Lambda, GB and second, arm64"]
    return {
        f"{alarms} alarms, {FREE_ALARMS} of them free": max(alarms - FREE_ALARMS, 0) * ALARM,
        f"polling of {queues} idle queues, {polls / 1e6:.1f} million requests, 1 million free": (
            max(polls - FREE_SQS_REQUESTS, 0) * PRICES["SQS, requests"]
        ),
        f"{sweeps:,.0f} sweeps of at most {SWEEP_SECONDS} s": (
            computed + sweeps * PRICES["Lambda, requests"]
        ),
        "the mirror of 10,000 deals, with backups": math.ceil(MIRROR_GB * 45) / 100,
    }


def lines(found: Mapping[str, float]) -> list[str]:
    """Return the table in Markdown, with its sum."""
    rows = [f"| {name} | {amount:.2f} |" for name, amount in found.items()]
    total = sum(round(amount, 2) for amount in found.values())
    return ["| a month without events | $ |", "|---|---|", *rows, f"| | **{total:.2f}** |"]
