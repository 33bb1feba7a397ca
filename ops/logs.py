"""`make logs`: the log lines of a stack's functions, as they are written."""

import contextlib

import boto3

from ops.deployed import Stack, find_stack
from ops.follow import follow
from ops.outcome import print_document

POLL_SECONDS = 2


def command(stack: Stack = "relay") -> None:
    """Follow what the functions write, the journal among it; prints a line of JSON each."""
    with contextlib.suppress(KeyboardInterrupt):
        group = find_stack(stack).outputs["LogGroup"]
        for line in follow(boto3.client("logs"), group, POLL_SECONDS):
            if line:
                print_document(line)
