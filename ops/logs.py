"""`make logs`: what the functions of a stack write, as it is written."""

import contextlib
import json
import sys

import boto3

from ops.deployed import find_stack
from ops.follow import follow

POLL_SECONDS = 2


def main() -> None:
    """Follow a deployed stack's log group until Ctrl-C; a line of JSON each."""
    group = find_stack(sys.argv[1]).outputs["LogGroup"]
    with contextlib.suppress(KeyboardInterrupt):
        for line in follow(boto3.client("logs"), group, POLL_SECONDS):
            if line:
                print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
