"""`make portals`: each connected portal with what is stored of it, and whether it works."""

import time
from typing import Any

import boto3

from ops.ages import age
from ops.deployed import Deployed, Stack, client, find_stack
from ops.outcome import Outcome
from ops.secrets import READ_URL, ROBOTS, TOKENS, WRITE_URL, lines_of, stored_secrets
from ops.terminal import console, numbered, shown
from ops.webhook import try_webhook
from relay.errors import CallError, ConfigurationError
from relay.tracking.brake import Brake
from relay.tracking.event_times import MISSED, LastEvents
from relay.tracking.sweep_state import REFUSED, SweepState

WEBHOOKS = {"read": READ_URL, "write": WRITE_URL}
DONE, EMPTY = "done", "0 of 0"  # as SweepDocument.progress has them


def command(stack: Stack = "relay") -> Outcome:
    """List the connected portals: what is stored, last event, mirror, whether they are blocked."""
    found = find_stack(stack)
    secrets = stored_secrets(boto3.client("ssm"), found.outputs["SecretsPrefix"])
    portals = [_look(name, own, found) for name, own in sorted(secrets.items())]
    for one in portals:
        _show(one)
    if not portals:
        console.print("no portal is connected: `make connect`")
    left = not portals or any(one["blocked"] or one["lacks"] for one in portals)
    return Outcome({"stack": found.name, "portals": portals}, left=left)


def _look(name: str, own: dict[str, str], stack: Deployed) -> dict[str, Any]:
    """Return what is known of a portal, without a secret."""
    dynamodb, table = client("dynamodb"), stack.resource("StateTable")
    times = LastEvents(dynamodb, table).read(name)
    kinds = SweepState(dynamodb, table).read(name).progress()
    return {
        "portal": name,
        "tokens": len(lines_of(own, TOKENS)),
        "read": READ_URL in own,
        "write": WRITE_URL in own,
        "robots": len(lines_of(own, ROBOTS)),
        "lacks": [branch for branch in (TOKENS, READ_URL, WRITE_URL) if not own.get(branch)],
        "blocked": _blocked(own, stack),
        "held_since": Brake(dynamodb, table).tripped(name),
        "last_event": max((at for kind, at in times.items() if kind != MISSED), default=None),
        "mirror": kinds,
        "filled": bool(kinds) and set(kinds.values()) <= {DONE, REFUSED},
    }


def _blocked(own: dict[str, str], stack: Deployed) -> list[str]:
    """Return why a portal's webhooks are refused; each is asked for its user."""
    reasons = []
    for purpose, branch in WEBHOOKS.items():
        if own.get(branch):
            try:
                try_webhook(own[branch], (), allow_http=stack.allow_http)
            except (ConfigurationError, CallError) as error:
                reasons.append(f"{purpose}: {error}")
    return reasons


def _show(one: dict[str, Any]) -> None:
    name = one["portal"]
    console.print(shown(name), style="bold")
    webhooks = ", ".join(f"{purpose} {'yes' if one[purpose] else 'no'}" for purpose in WEBHOOKS)
    _line("stored", f"{numbered(one['tokens'], 'token')}; webhooks: {webhooks}")
    _line(
        "robots", f"{numbered(one['robots'], 'secret')} of addresses" if one["robots"] else "none"
    )
    last = one["last_event"]
    _line("event", f"the last came {age(time.time() - last)} ago" if last else "none came yet")
    _line("mirror", _mirror(one))
    _line("blocked", "; ".join(one["blocked"]) or "no")
    if held := one["held_since"]:
        _line(
            "held", f"disappearances, for {age(time.time() - held)}: `make release PORTAL={name}`"
        )
    if one["lacks"]:
        _line("next", f"`make connect PORTAL={name}` stores {', '.join(one['lacks'])}")
    elif one["blocked"]:
        _line("next", f"`make rotate PORTAL={name}` takes other webhooks")


def _mirror(one: dict[str, Any]) -> str:
    if not one["mirror"]:
        return "never swept"
    if one["filled"]:
        return "filled"
    kinds = sorted(one["mirror"].items())
    left = [f"{kind} {state}" for kind, state in kinds if state not in {DONE, REFUSED, EMPTY}]
    return f"being filled: {', '.join(left) or 'the next sweep ends it'}"


def _line(name: str, text: str) -> None:
    console.print(shown(f"  {name:8} {text}"))
