"""`make release PORTAL=…`: announce the disappearances that were held back as deletions."""

import sys
import time

import boto3

from ops.deployed import aws_errors, find_stack
from relay.tracking.brake import RELEASE_SECONDS, Brake
from relay.tracking.sweep_state import SweepState


def main() -> None:
    """Release a portal's held disappearances, and all those of the next day."""
    name, portal = sys.argv[1:3]
    with aws_errors():
        table = find_stack(name).resources["StateTable"]
        client = boto3.client("dynamodb")
        if not SweepState(client, table).read(portal).kinds:
            raise SystemExit(f"no portal {portal!r} was ever swept in stack {name}; PORTAL=…?")
        held = Brake(client, table).release(portal, time.time())
    if held:
        print(f"{portal}: the items that disappeared are announced as deleted within half an hour")
    else:
        print(f"{portal}: nothing was held back")
    hours = RELEASE_SECONDS // 3600
    print(f"items that disappear in the next {hours} hours are announced as deleted as well")


if __name__ == "__main__":
    main()
