"""What `make doctor` says of one portal: its tokens, webhooks, plan, sweeps and events."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from ops.ages import age
from ops.deployed import Deployed
from ops.findings import BAD, LOOK, OK, SKIPPED, Finding
from ops.secrets import READ_URL, WRITE_URL, owner_of, tokens_of
from ops.webhook import NO_ADMIN, READ_SCOPES, WRITE_SCOPES, try_webhook
from relay.errors import CallError, ConfigurationError
from relay.tracking.brake import Brake
from relay.tracking.event_times import MISSED, LastEvents, is_silent
from relay.tracking.sweep_state import REFUSED, SweepDocument, SweepState

LATE_SECONDS = 3600
LATE_SWEEPS = 3  # skipped in a row, where sweeps are rarer than that
# Requests a second, and at once, by plan (rest-protocol section 4): Enterprise's plans are ent250,
# ent500 and so on.
ENTERPRISE, ENTERPRISE_PACE, USUAL_PACE = "ent", (5, 250), (2, 50)


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
    hosts, plan = set(), ""
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
        plan = plan or tried.plan
        yield Finding(OK, f"webhook to {purpose} with: {tried.host} as {tried.user}")
        if tried.missing:
            yield Finding(LOOK, f"it lacks the scope {', '.join(tried.missing)}")
        if branch == WRITE_URL and not tried.admin:
            yield Finding(LOOK, NO_ADMIN)
    if hosts:
        yield plan_finding(plan, stack.parameters)
    else:
        yield Finding(SKIPPED, "plan and limits: skipped because no webhook works")
    if len(hosts) > 1:
        yield Finding(BAD, f"the webhooks are of two portals, {' and '.join(sorted(hosts))}")


def plan_finding(plan: str, parameters: Mapping[str, str]) -> Finding:
    """Return whether the stack calls a portal as often as its plan allows."""
    set_to = int(parameters.get("PortalRate", "2")), int(parameters.get("PortalBurst", "50"))
    pace = f"{set_to[0]} requests a second, {set_to[1]} at once"
    if not plan:
        return Finding(OK, f"the portal does not tell its plan; the stack makes {pace}")
    name = plan.partition("_")[2] or plan
    allowed = ENTERPRISE_PACE if name.startswith(ENTERPRISE) else USUAL_PACE
    if set_to == allowed:
        return Finding(OK, f"plan {plan}: {pace}")
    remedy = (
        f"PortalRate={allowed[0]} PortalBurst={allowed[1]} in samconfig.toml's "
        "parameter_overrides, then `make deploy`"
    )
    if set_to > allowed:
        return Finding(BAD, f"plan {plan} allows less than the stack makes, {pace}: {remedy}")
    return Finding(LOOK, f"plan {plan} allows more than the stack makes, {pace}: {remedy}")


def tracking_findings(portal: str, dynamodb: Any, stack: Deployed) -> Iterator[Finding]:
    """Yield how a portal's sweeps, deletions and events are doing."""
    table, parameters, now = stack.resource("StateTable"), stack.parameters, time.time()
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
