"""List prices in dollars, and tables of what was consumed times them.

Of us-east-1, from AWS's price pages as they were in November 2026; free tiers are left out unless
a line says so. eu-central-1 is 0 to 26 % dearer, by service.
"""

from collections.abc import Mapping, Sequence

# Of one unit. A message with a group id makes its requests those of a fair queue.
PRICES = {
    "HTTP API, requests": 1.00e-6,
    "Lambda, requests": 0.20e-6,
    "Lambda, GB and second, arm64": 13.3334e-6,
    "SNS, requests of 64 KB": 0.50e-6,
    "SNS, GB of bodies that filters read": 0.09,
    "SQS, requests": 0.40e-6,
    "SQS, requests of fair queues, on top": 0.10e-6,
    "DynamoDB, write units": 0.625e-6,
    "DynamoDB, read units": 0.125e-6,
    "Logs, GB": 0.50,
}
# A month.
ALARM, FREE_ALARMS = 0.10, 10
METRIC, FREE_METRICS = 0.30, 10
FREE_SQS_REQUESTS = 1_000_000
TABLE_GB, BACKUP_GB = 0.25, 0.20


def dollars(consumed: Mapping[str, float]) -> float:
    """Return what an amount of each line of PRICES costs."""
    return sum(consumed.get(name, 0) * price for name, price in PRICES.items())


def table(columns: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the dollars of a million deals, as a table in Markdown."""
    million = 1_000_000
    lines = [_row(["a million won deals, $", *columns]), _row(["---"] * (len(columns) + 1))]
    for name, price in PRICES.items():
        paid = [one.get(name, 0) * million * price for one in columns.values()]
        lines.append(_row([name, *(f"{amount:.2f}" for amount in paid)]))
    sums = [f"**{dollars(one) * million:.2f}**" for one in columns.values()]
    return [*lines, _row(["", *sums])]


def amounts(columns: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return what one deal consumes, as a table in Markdown."""
    lines = [_row(["a won deal consumes", *columns]), _row(["---"] * (len(columns) + 1))]
    return lines + [
        _row([name, *(f"{one.get(name, 0):.2g}" for one in columns.values())]) for name in PRICES
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
