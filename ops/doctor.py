"""`make doctor`: what works, what does not, and what to do about it.

Exits with 1 where somebody has to act. Shows no secret.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Iterator

import boto3
from rich.console import Console
from rich.markup import escape

from ops.deployed import Deployed, find_stack
from ops.webhook import NO_ADMIN, READING, WRITING, try_webhook
from relay.errors import CallError, ConfigurationError
from relay.tracking.brake import Brake
from relay.tracking.event_times import MISSED, LastEvents, is_silent
from relay.tracking.sweep_plan import REFUSED, Document, progress
from relay.tracking.sweep_state import SweepState

OK, LOOK, BAD = "[green]ok  [/]", "[yellow]look[/]", "[red]BAD [/]"
LATE_SECONDS = 3600
console = Console(highlight=False, soft_wrap=True)
type Finding = tuple[str, str]


def main() -> int:
    """Look at a deployed stack and everything that it is joined to."""
    stack = find_stack(sys.argv[1])
    resources = stack.resources()
    console.print(f"stack {stack.name}  {stack.outputs['HookUrl']}")
    findings = list(_told(_queues(resources)))
    secrets = _secrets(stack.outputs["SecretsPrefix"])
    for portal, its in sorted(secrets.items()):
        console.print(f"portal {portal}")
        findings += _told(_webhooks(its, stack))
        hours = float(stack.parameters["SilentHours"])
        findings += _told(_tracking(portal, resources["StateTable"], hours))
    if not secrets:
        findings += _told(iter([(BAD, "no portal is connected: `make connect`")]))
    bad = sum(how == BAD for how, _ in findings)
    console.print(f"{bad} to be mended" if bad else "nothing to be mended")
    return 1 if bad else 0


def _told(findings: Iterator[Finding]) -> Iterator[Finding]:
    for how, what in findings:
        console.print(f"  {how}  {escape(what)}")
        yield how, what


def _secrets(prefix: str) -> dict[str, dict[str, str]]:
    """Return what is stored for each portal, by branch."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    ssm = boto3.client("ssm").get_paginator("get_parameters_by_path")
    for branch in ("application-tokens", "webhook-urls/read", "webhook-urls/write"):
        pages = ssm.paginate(Path=f"{prefix}/{branch}", WithDecryption=True)
        for one in (parameter for page in pages for parameter in page["Parameters"]):
            found[one["Name"].rpartition("/")[2]][branch] = one["Value"]
    return found


def _queues(resources: dict[str, str]) -> Iterator[Finding]:
    sqs, waiting, dead = boto3.client("sqs"), 0, 0
    for name, url in sorted(resources.items()):
        if "://" not in url or not name.endswith(("Queue", "DeadLetters")):
            continue  # the subscriptions of functions are named so too
        counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
        number = sum(int(asked[count]) for count in counts)
        if number and name.endswith("DeadLetters"):
            dead += number
            yield BAD, f"{name}: {number} given up; `make redrive` shows why"
        elif number:
            waiting += number
            yield LOOK, f"{name}: {number} waiting or at work"
    if not dead:
        yield OK, "nothing was given up" + (" and nothing waits" if not waiting else "")


def _webhooks(secrets: dict[str, str], stack: Deployed) -> Iterator[Finding]:
    tokens = len(secrets.get("application-tokens", "").split())
    yield (OK, f"{tokens} application token(s)") if tokens else (BAD, "no token: `make connect`")
    for kind, scopes in (("read", READING), ("write", WRITING)):
        url = secrets.get(f"webhook-urls/{kind}")
        if not url:
            yield BAD, f"no webhook to {kind} with: `make connect`"
            continue
        try:
            tried = try_webhook(url, scopes, allow_http=stack.allow_http)
        except (ConfigurationError, CallError) as error:
            yield BAD, f"webhook to {kind} with: {error}; `make connect` takes a new one"
        else:
            yield OK, f"webhook to {kind} with: {tried.host} as {tried.user}"
            if tried.missing:
                yield LOOK, f"it lacks the scope {', '.join(tried.missing)}"
            if kind == "write" and not tried.admin:
                yield LOOK, NO_ADMIN


def _tracking(portal: str, table: str, silent_hours: float) -> Iterator[Finding]:
    client, now = boto3.client("dynamodb"), time.time()
    document = SweepState(client, table).read(portal)
    yield from _sweeps(document, now)
    held = Brake(client, table).tripped(portal)
    if held:
        said = f"disappearances have been held back for {_ago(now - held)}"
        yield BAD, f"{said}; if they are true: `make release PORTAL={portal}`"
    seen = LastEvents(client, table).read(portal)
    last = max((at for name, at in seen.items() if name != MISSED), default=0)
    if is_silent(seen, now, silent_hours):
        yield BAD, "changes, but not one event: switch the outgoing webhook on, with its events"
    elif last:
        yield OK, f"the last event came {_ago(now - last)} ago"
    else:
        yield LOOK, "no event came yet; is the outgoing webhook switched on, with its events?"


def _sweeps(document: Document, now: float) -> Iterator[Finding]:
    kinds = progress(document)
    if not kinds:
        yield BAD, "it was never swept; does SweepFunction log an error? (`make logs`)"
        return
    filled = sorted(kind for kind, how in kinds.items() if how == "done")
    yield OK, f"the mirror holds {', '.join(filled) or 'nothing yet'}"
    for kind, how in sorted(kinds.items()):
        if how == REFUSED:
            yield LOOK, f"{kind}: not offered to this webhook (off, or a scope or right lacks)"
        elif how != "done":
            yield LOOK, f"{kind}: {how} are in the mirror"
    swept = max((its.get("swept", 0) for its in document["entities"].values()), default=0)
    age = now - swept - document.get("ahead", 0)
    said = f"swept {_ago(age)} ago"
    yield (OK, said) if age < LATE_SECONDS else (BAD, f"{said}; `make logs` says why not since")


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


if __name__ == "__main__":
    sys.exit(main())
