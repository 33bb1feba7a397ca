"""`make doctor`: which parts of a stack work, which do not, and what to do about it.

A check that can't be made is skipped, and says why; the others go on. Prints no secret.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from ops.build import ROOT
from ops.deployed import Deployed, MissingPartError, Stack, aws_errors, client, find_stack
from ops.filter_findings import filter_findings, spelling_findings, unmirrored_findings
from ops.findings import BAD, SKIPPED, Finding, Level
from ops.health_findings import alarm_findings, lag_findings
from ops.mail_findings import mail_findings
from ops.outcome import Outcome
from ops.part_findings import findings_of_portal
from ops.pause import reactions_of
from ops.portal_findings import token_findings, tracking_findings, webhook_findings
from ops.queue_findings import paused_findings, queue_findings
from ops.quota import quota_findings
from ops.robot_findings import read_calls, robot_findings
from ops.schema_findings import schema_findings, texts_of
from ops.secrets import ROBOTS, stored_secrets
from ops.subscribed import subscribed_robots
from ops.terminal import console, shown
from relay.tracking.schema_watch import SchemaStore
from relay.tracking.sweep_state import SweepState

SLOW_MILLISECONDS = 1000  # a check that takes longer says so


def command(stack: Stack = "relay") -> Outcome:
    """Say what works, what does not, and what to do about it."""
    found, now = find_stack(stack), time.time()
    resources, group = found.resources, found.outputs["LogGroup"]
    report = Report()
    report.section(f"stack {found.name}  {found.outputs['HookUrl']}")
    report.check("quota", quota_findings(client("lambda"), found))
    report.check("alarms", alarm_findings(client("cloudwatch"), found, now))
    report.check("told", mail_findings(client("sns"), found))
    report.check("queues", queue_findings(client("sqs"), resources, now))
    report.check("pauses", paused_findings(client("lambda"), resources, now))
    report.check("filters", filter_findings(ROOT, reactions_of(resources)))
    report.check("lag", lag_findings(client("logs"), group, now))
    secrets = report.read(
        "secrets", lambda: stored_secrets(client("ssm"), found.outputs["SecretsPrefix"])
    )
    for portal, own in sorted((secrets or {}).items()):
        report.section(f"portal {portal}", portal)
        report.check("tokens", token_findings(portal, secrets or {}))
        report.check("webhooks", webhook_findings(own, found))
        report.check("tracking", tracking_findings(portal, client("dynamodb"), found))
        report.check("parts", findings_of_portal(portal, own, client("dynamodb"), found))
        report.check("schema", _schema(portal, found, now))
    if secrets == {}:
        report.check("portals", [Finding(BAD, "no portal is connected: `make connect`")])
    if secrets and any(ROBOTS in own for own in secrets.values()):
        report.section("robots")
        report.check("robots", _robots(secrets, group))
    console.print(report.verdict())
    return Outcome({"stack": found.name, "checks": report.documents}, left=report.is_left)


def _robots(secrets: dict[str, dict[str, str]], group: str) -> Iterator[Finding]:
    yield from robot_findings(secrets, read_calls(client("logs"), group), subscribed_robots())


def _schema(portal: str, stack: Deployed, now: float) -> Iterator[Finding]:
    dynamodb, table = client("dynamodb"), stack.resource("StateTable")
    store, kinds = SchemaStore(dynamodb, table), SweepState(dynamodb, table).read(portal).kinds
    watched, reactions = store.read(portal), reactions_of(stack.resources)
    yield from schema_findings(watched, texts_of(ROOT, reactions), now)
    yield from spelling_findings(ROOT, reactions, watched.schema)
    if kinds:
        mirrored = {name for name, kind in kinds.items() if not kind.refused}
        yield from unmirrored_findings(ROOT, reactions, mirrored)


class Report:
    """Prints each finding as soon as it is there; `documents` has the checks for programs."""

    def __init__(self) -> None:
        self.documents: list[dict[str, object]] = []
        self._levels: Counter[Level] = Counter()
        self._portal = ""

    @property
    def is_left(self) -> bool:
        """Say whether a person has to act, or something could not be found out."""
        return bool(self._levels[BAD] or self._levels[SKIPPED])

    def verdict(self) -> str:
        """Return the last line."""
        bad, skipped = self._levels[BAD], self._levels[SKIPPED]
        text = f"{bad} to be mended" if bad else "nothing to be mended"
        return text + f", {skipped} could not be looked at" * (skipped > 0)

    def section(self, title: str, portal: str = "") -> None:
        """Begin the checks of the stack, or of a portal."""
        self._portal = portal
        console.print(shown(title))

    def check(self, name: str, findings: Iterable[Finding]) -> None:
        """Print a check's findings, or why it was skipped; note how long it took."""
        began = time.monotonic()
        made: list[dict[str, str]] = []
        try:
            with aws_errors():
                for finding in findings:
                    self._add(finding, made)
        except MissingPartError as missing:
            self._add(Finding(BAD, f"{name}: {missing.code}"), made)
        except SystemExit as refusal:
            self._add(Finding(SKIPPED, f"{name}: skipped because {refusal.code}"), made)
        milliseconds = round((time.monotonic() - began) * 1000)
        if milliseconds >= SLOW_MILLISECONDS:
            console.print(f"        [dim]{name}: {milliseconds} ms[/]")
        self.documents.append(
            {"check": name, "portal": self._portal or None, "milliseconds": milliseconds}
            | {"findings": made}
        )

    def _add(self, finding: Finding, made: list[dict[str, str]]) -> None:
        console.print(finding.line())
        made.append(finding.document())
        self._levels[finding.level] += 1

    def read[Read](self, name: str, read: Callable[[], Read]) -> Read | None:
        """Return what other checks need; None where it can't be read, which is a finding."""
        try:
            with aws_errors():
                return read()
        except SystemExit as refusal:
            self.check(name, [Finding(SKIPPED, f"{name}: skipped because {refusal.code}")])
            return None
