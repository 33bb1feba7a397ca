"""`make release PORTAL=…`: what vanished without a deletion event is deleted indeed."""

import sys
import time

import boto3

from ops.deployed import find_stack
from relay.tracking.brake import RELEASE_SECONDS, Brake
from relay.tracking.sweep_state import SweepState


def main() -> None:
    """Let the disappearances of a portal through that wait, and those of the next day."""
    stack, portal = find_stack(sys.argv[1]), sys.argv[2]
    client, table = boto3.client("dynamodb"), stack.resources()["StateTable"]
    if not SweepState(client, table).read(portal):
        raise SystemExit(f"no portal {portal!r} was ever swept in stack {stack.name}; PORTAL=…?")
    waited = Brake(client, table).release(portal, time.time())
    if waited:
        print(f"{portal}: what vanished is announced as deleted within half an hour")
    else:
        print(f"{portal}: nothing was held back")
    print(
        f"whatever else vanishes in the next {RELEASE_SECONDS // 3600} hours goes through as well"
    )


if __name__ == "__main__":
    main()
