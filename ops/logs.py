"""`make logs`: the log lines of a stack's functions, as they are written."""

import contextlib
import json
import sys

import boto3

from ops.deployed import aws_errors, find_stack
from ops.follow import follow
from ops.terminal import harmless

POLL_SECONDS = 2


def main() -> None:
    """Follow a deployed stack's log group until Ctrl-C; prints a line of JSON each."""
    with aws_errors(), contextlib.suppress(KeyboardInterrupt):
        group = find_stack(sys.argv[1]).outputs["LogGroup"]
        for line in follow(boto3.client("logs"), group, POLL_SECONDS):
            if line:
                print(harmless(json.dumps(line, ensure_ascii=False)), flush=True)


if __name__ == "__main__":
    main()
