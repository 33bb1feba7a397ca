"""`make release PORTAL=…`: announce the disappearances that were held back as deletions."""

import time

import boto3

from ops.deployed import PortalName, Stack, find_stack
from ops.outcome import Outcome
from ops.swept import check_swept
from ops.terminal import console
from relay.tracking.brake import RELEASE_SECONDS, Brake


def command(portal: PortalName = "main", stack: Stack = "relay") -> Outcome:
    """Announce held disappearances as deletions, and all those of the next day."""
    deployed, client = find_stack(stack), boto3.client("dynamodb")
    check_swept(client, deployed, portal)
    brake = Brake(client, deployed.resource("StateTable"))
    # What vanishes unheard-of must trip the brake before anybody lets it go.
    held = brake.tripped(portal) is not None and brake.release(portal, time.time())
    if not held:
        console.print(f"{portal}: nothing was held back, and nothing is changed")
        return Outcome({"portal": portal, "was_held": False})
    hours = RELEASE_SECONDS // 3600
    console.print(
        f"{portal}: the items that disappeared are announced as deleted within half an hour\n"
        f"items that disappear in the next {hours} hours are announced as deleted as well"
    )
    return Outcome({"portal": portal, "was_held": True, "accepts_hours": hours})
