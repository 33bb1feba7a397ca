"""`make doctor`: which parts of a stack work, which do not, and what to do about it.

Prints no secret.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import boto3

from ops.ages import age
from ops.deployed import Deployed, Stack, find_stack
from ops.findings import BAD, LOOK, OK, Finding
from ops.outcome import Outcome
from ops.queue_findings import paused_findings, queue_findings
from ops.quota import quota_findings
from ops.robot_findings import RobotCalls, read_calls, refusals, unheard
from ops.secrets import (
    READ_URL,
    ROBOTS,
    WRITE_URL,
    lines_of,
    owner_of,
    stored_secrets,
    tokens_of,
)
from ops.subscribed import subscribed_robots
from ops.terminal import console, shown
from ops.webhook import NO_ADMIN, READ_SCOPES, WRITE_SCOPES, try_webhook
from relay.errors import CallError, ConfigurationError
from relay.tracking.brake import Brake
from relay.tracking.event_times import MISSED, LastEvents, is_silent
from relay.tracking.sweep_state import REFUSED, SweepDocument, SweepState

LATE_SECONDS = 3600
LATE_SWEEPS = 3  # skipped in a row, where sweeps are rarer than that


def command(stack: Stack = "relay") -> Outcome:
    """Say what works, what does not, and what to do about it."""
    found = find_stack(stack)
    report = _Report()
    report.section(f"stack {found.name}  {found.outputs['HookUrl']}")
    report.add("", quota_findings(boto3.client("lambda"), found))
    report.add("", queue_findings(boto3.client("sqs"), found.resources))
    report.add("", paused_findings(boto3.client("lambda"), found.resources, time.time()))
    secrets = stored_secrets(boto3.client("ssm"), found.outputs["SecretsPrefix"])
    for portal in sorted(secrets):
        report.section(f"portal {portal}")
        report.add(portal, token_findings(portal, secrets))
        report.add(portal, webhook_findings(secrets[portal], found))
        report.add(portal, tracking_findings(portal, boto3.client("dynamodb"), found))
    if any(ROBOTS in own for own in secrets.values()):
        report.section("robots")
        calls = read_calls(boto3.client("logs"), found.outputs["LogGroup"])
        report.add("", robot_findings(secrets, calls, subscribed_robots()))
    if not secrets:
        report.add("", [Finding(BAD, "no portal is connected: `make connect`")])
    bad = report.bad
    console.print(f"{bad} to be mended" if bad else "nothing to be mended")
    return Outcome({"stack": found.name, "findings": report.documents}, left=bad > 0)


class _Report:
    """Prints each finding as soon as it is there."""

    def __init__(self) -> None:
        self.documents: list[dict[str, str]] = []
        self.bad = 0

    def section(self, title: str) -> None:
        console.print(shown(title))

    def add(self, portal: str, findings: Iterable[Finding]) -> None:
        """Print findings; `portal` is empty for those of the whole stack."""
        for finding in findings:
            console.print(finding.line())
            self.documents.append({"portal": portal} | finding.document())
            self.bad += finding.level == BAD


def token_findings(portal: str, secrets: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """Yield whether a portal has tokens, and none that another portal has too."""
    tokens = tokens_of(secrets[portal])
    if not tokens:
        yield Finding(BAD, "no application token: `make connect`")
        return
    yield Finding(OK, f"{len(tokens)} application token(s)")
    others = {name: other for name, other in secrets.items() if name != portal}
    for owner in sorted({owner for token in tokens if (owner := owner_of(token, others))}):
        yield Finding(BAD, f"portal {owner} has the same token, so events may go to either")


def webhook_findings(secrets: Mapping[str, str], stack: Deployed) -> Iterator[Finding]:
    """Yield whether a portal's webhooks work, whose they are, and which scopes they lack."""
    hosts = set()
    for purpose, branch, scopes in (
        ("read", READ_URL, READ_SCOPES),
        ("write", WRITE_URL, WRITE_SCOPES),
    ):
        url = secrets.get(branch)
        if not url:
            yield Finding(BAD, f"no webhook to {purpose} with: `make connect`")
            continue
        try:
            tried = try_webhook(url, scopes, allow_http=stack.allow_http)
        except (ConfigurationError, CallError) as error:
            yield Finding(
                BAD, f"webhook to {purpose} with: {error}; `make connect` takes a new one"
            )
            continue
        hosts.add(tried.host)
        yield Finding(OK, f"webhook to {purpose} with: {tried.host} as {tried.user}")
        if tried.missing:
            yield Finding(LOOK, f"it lacks the scope {', '.join(tried.missing)}")
        if branch == WRITE_URL and not tried.admin:
            yield Finding(LOOK, NO_ADMIN)
    if len(hosts) > 1:
        yield Finding(BAD, f"the webhooks are of two portals, {' and '.join(sorted(hosts))}")


def robot_findings(
    secrets: Mapping[str, dict[str, str]], calls: RobotCalls, subscribed: set[str]
) -> Iterator[Finding]:
    """Yield which portals have robots, and what was wrong with the calls of a day."""
    for portal, own in sorted(secrets.items()):
        if number := len(lines_of(own, ROBOTS)):
            yield Finding(OK, f"portal {portal}: {number} secret(s) of robots")
    if total := sum(calls.published.values()):
        yield Finding(OK, f"{total} calls of robots in a day")
    for text in (*refusals(calls), *unheard(calls, subscribed)):
        yield Finding(LOOK, text)


def tracking_findings(portal: str, dynamodb: Any, stack: Deployed) -> Iterator[Finding]:
    """Yield how a portal's sweeps, deletions and events are doing."""
    table, parameters, now = stack.resources["StateTable"], stack.parameters, time.time()
    document = SweepState(dynamodb, table).read(portal)
    late_seconds = max(LATE_SECONDS, LATE_SWEEPS * float(parameters["SweepMinutes"]) * 60)
    yield from sweep_findings(document, now, late_seconds)
    if held := Brake(dynamodb, table).tripped(portal):
        yield Finding(
            BAD,
            f"disappearances have been held back for {age(now - held)}; if the items are really "
            f"deleted: `make release PORTAL={portal}`",
        )
    times = LastEvents(dynamodb, table).read(portal)
    last = max((at for name, at in times.items() if name != MISSED), default=0)
    if is_silent(times, now, float(parameters["SilentHours"])):
        yield Finding(
            BAD, "changes, but no events: switch the outgoing webhook on, with its events"
        )
    elif last:
        yield Finding(OK, f"the last event came {age(now - last)} ago")
    else:
        yield Finding(LOOK, "no event yet; is the outgoing webhook on, with its events?")


def sweep_findings(document: SweepDocument, now: float, late_seconds: float) -> Iterator[Finding]:
    """Yield how far the mirror is filled, and whether the last sweep is too long ago."""
    kinds = document.progress()
    if not kinds:
        yield Finding(BAD, "it was never swept; does SweepFunction log an error? (`make logs`)")
        return
    filled = sorted(kind for kind, state in kinds.items() if state == "done")
    yield Finding(OK, f"the mirror holds {', '.join(filled) or 'nothing yet'}")
    for kind, state in sorted(kinds.items()):
        if state == REFUSED:
            yield Finding(
                LOOK, f"{kind}: not offered to this webhook (switched off, or no right to it)"
            )
        elif state != "done":
            yield Finding(LOOK, f"{kind}: {state} are in the mirror")
    swept = max((kind.swept_at for kind in document.kinds.values()), default=0)
    since = now - swept - document.clock_ahead_seconds
    text = f"swept {age(since)} ago"
    if since < late_seconds:
        yield Finding(OK, text)
    else:
        yield Finding(BAD, f"{text}; `make logs` says why not since")
