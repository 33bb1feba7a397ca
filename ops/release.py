"""`make release PORTAL=…`: announce the disappearances that were held back as deletions."""

import time

import boto3

from ops.deployed import PortalName, Stack, find_stack
from ops.outcome import Outcome
from ops.terminal import console
from relay.tracking.brake import RELEASE_SECONDS, Brake
from relay.tracking.sweep_state import SweepState


def command(portal: PortalName = "main", stack: Stack = "relay") -> Outcome:
    """Announce held disappearances as deletions, and all those of the next day."""
    table = find_stack(stack).resource("StateTable")
    client = boto3.client("dynamodb")
    if not SweepState(client, table).read(portal).kinds:
        raise SystemExit(f"no portal {portal!r} was ever swept in stack {stack}; PORTAL=…?")
    held = Brake(client, table).release(portal, time.time())
    if held:
        console.print(
            f"{portal}: the items that disappeared are announced as deleted within half an hour"
        )
    else:
        console.print(f"{portal}: nothing was held back")
    hours = RELEASE_SECONDS // 3600
    console.print(
        f"items that disappear in the next {hours} hours are announced as deleted as well"
    )
    return Outcome({"portal": portal, "was_held": bool(held), "accepts_hours": hours})
