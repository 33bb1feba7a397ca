"""`make release PORTAL=…`: what vanished without a deletion event is deleted indeed."""

import sys
import time

import boto3

from ops.deployed import find_stack
from relay.tracking.brake import RELEASE_SECONDS, Brake


def main() -> None:
    """Let the disappearances of a portal through that wait, and those of the next day."""
    stack, portal = find_stack(sys.argv[1]), sys.argv[2]
    table = stack.resources()["StateTable"]
    Brake(boto3.client("dynamodb"), table).release(portal, time.time())
    hours = RELEASE_SECONDS // 3600
    print(
        f"{portal}: what vanished is announced as deleted, for {hours} hours; it may take half one"
    )


if __name__ == "__main__":
    main()
