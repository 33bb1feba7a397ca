"""The ways to deploy template.yaml, and what the macros make of each, written down.

`PYTHONPATH=. python -m tests.snapshots` writes tests/data/processed anew: the default whole, every
other variant by what distinguishes it.
"""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests import processed

FOLDER = Path(__file__).parent / "data" / "processed"
TEMPLATE = processed.read()
ALL = processed.with_reactions(TEMPLATE, list(TEMPLATE["Mappings"]["Reaction"]))
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0f0f0f0f-1111-2222-3333-444444444444"
# A value of each parameter that is not its default.
OPTIONS = {
    "AlarmEmail": "ada@example.com",
    "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:on-call",
    "Dashboard": "false",
    "RequestsPerSecond": "100",
    "RequestsBurst": "200",
    "IngressReserved": "50",
    "PortalRate": "5",
    "PortalBurst": "250",
    "PortalReservePercent": "30",
    "ReactionConcurrency": "2",
    "TrackBatchSize": "10",
    "TrackWindowSeconds": "5",
    "SweepMinutes": "15",
    "Parts": "steps,deal.products",
    "GraceSeconds": "60",
    "ReconcileDays": "1",
    "SilentHours": "24",
    "HistoryDays": "365",
    "PointInTimeRecovery": "false",
    "DeletionProtection": "false",
    "Forward": "all",
    "ArchiveDays": "0",
    "LogLevel": "WARNING",
    "LogRetentionDays": "30",
    "AccessLogs": "false",
    "PermissionsBoundary": "arn:aws:iam::123456789012:policy/boundary",
    "KmsKeyArn": KEY,
    "OperatorPolicy": "true",
    "Tracing": "Active",
    "DomainName": "hooks.example.com",
    "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/1",
    "HostedZoneId": "Z1",
    "IngressCanary": "true",
    "Architecture": "x86_64",
    "AllowHttp": "true",
}
# With everything there is: no option that takes something away.
EVERYTHING = {
    name: value
    for name, value in OPTIONS.items()
    if name not in {"Dashboard", "AccessLogs", "ArchiveDays", "PointInTimeRecovery"}
}
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "default": (TEMPLATE, {}),
    "everything": (ALL, EVERYTHING),
    "Forward=changes": (TEMPLATE, {"Forward": "changes"}),
} | {name: (TEMPLATE, {name: value}) for name, value in OPTIONS.items()}
VARIANTS["ArchiveDays"] = (TEMPLATE, {"Forward": "all", "ArchiveDays": "0"})
VARIANTS["DomainName"] = (
    TEMPLATE,
    {name: OPTIONS[name] for name in ("DomainName", "CertificateArn")},
)
VARIANTS["HostedZoneId"] = (
    TEMPLATE,
    {name: OPTIONS[name] for name in ("DomainName", "CertificateArn", "HostedZoneId")},
)


@cache
def _made(name: str) -> dict[str, Any]:
    template, given = VARIANTS[name]
    return processed.process(template, **given)


def variant(name: str) -> dict[str, Any]:
    """Return the resources and outputs of a variant, a copy."""
    return copy.deepcopy(_made(name))


def snapshot(name: str) -> str:
    """Return what is written down of a variant."""
    if name == "default":
        return yaml.safe_dump(_made(name), width=110, allow_unicode=True)
    lines = processed.differences(_made("default"), _made(name))
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    for variant_name in VARIANTS:
        (FOLDER / f"{variant_name}.yaml").write_text(snapshot(variant_name), "utf-8")
