"""A deployed stack: its outputs, parameters and resources, read from CloudFormation."""

import json
import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import boto3
import typer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"total_max_attempts": 5},
    max_pool_connections=16,  # as many threads ask at once
)
LOCAL = Path(__file__).parents[1] / ".local/stack.json"  # there while `make run` is up
NO_STACK = "ValidationError"  # CloudFormation's code for a stack that does not exist
# What a refusal of AWS means: the first pattern that is in its code.
REMEDIES = {
    "Expired": "the credentials have expired: sign in again (`aws sso login`)",
    "InvalidClientTokenId|UnrecognizedClient|InvalidSignature": (
        "AWS does not know these credentials: `aws sts get-caller-identity` shows whose they are"
    ),
    "Throttl|TooManyRequests|RequestLimit|SlowDown": (
        "AWS throttles this account; run the command again in a minute"
    ),
    "NonExistentQueue|ResourceNotFound|NoSuch": (
        "a part of the stack is gone: it is half deleted, or being deployed; `make deploy` mends it"
    ),
    "ResourceInUse|ResourceConflict": "AWS is still changing it; run the command again in a minute",
    "AccessDenied|NotAuthorized|AuthorizationError": (
        "these credentials lack a right; docs/production.md has the operator's policy"
    ),
}

Stack = Annotated[str, typer.Option(help="The deployed stack", metavar="NAME")]
PortalName = Annotated[str, typer.Option(help="Your short name of the portal", metavar="NAME")]


class MissingPartError(SystemExit):
    """Raised for a resource that a stack should have; ends the command with its text."""


@dataclass(frozen=True)
class Deployed:
    """A stack; `resources` maps logical ids to physical ids."""

    name: str
    outputs: dict[str, str]
    parameters: dict[str, str]
    resources: dict[str, str]

    @property
    def allow_http(self) -> bool:
        """Whether portals may be called without TLS."""
        return self.parameters.get("AllowHttp") == "true"

    def resource(self, name: str) -> str:
        """Return a resource's physical id; exits with a remedy where the stack lacks it."""
        if name not in self.resources:
            raise MissingPartError(
                f"stack {self.name} has no {name}: it is half deleted, or older than this command; "
                "`make deploy` mends both"
            )
        return self.resources[name]


def read_stack(cloudformation: Any, name: str) -> Deployed:
    """Return a deployed stack; raises botocore's errors."""
    found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    return Deployed(
        name,
        {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])},
        {item["ParameterKey"]: item["ParameterValue"] for item in found.get("Parameters", [])},
        {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for page in pages
            for item in page["StackResourceSummaries"]
            if "PhysicalResourceId" in item  # none while CloudFormation makes it
        },
    )


def find_stack(name: str) -> Deployed:
    """Return a deployed stack; exits with a remedy where it is missing or not deployed whole.

    Where no region is set, it is the stack of a `make run` that runs beside the command.
    """
    _choose_local_aws()
    try:
        stack = read_stack(boto3.client("cloudformation"), name)
    except ClientError as error:
        if error.response["Error"]["Code"] != NO_STACK:
            raise
        region = boto3.session.Session().region_name
        raise SystemExit(
            f"there is no stack {name} in {region}; run `make deploy` first, or give STACK= and "
            "AWS_REGION"
        ) from None
    if not stack.outputs:
        raise SystemExit(f"stack {name} is not deployed whole; `make deploy` says why")
    local = _make_run()
    if (local.get("endpoint"), local.get("stack")) == (os.environ.get("AWS_ENDPOINT_URL"), name):
        # The embedded AWS puts a host into the output that no resolver knows.
        stack.outputs["HookUrl"] = local["hook_url"]
    return stack


def client(service: str) -> Any:
    """Return a boto3 client for a command: it answers within a minute, or says why not."""
    _choose_local_aws()
    return boto3.client(service, config=CONFIG)


def _choose_local_aws() -> None:
    """Where no region is set, let all clients of this process reach the AWS of `make run`."""
    # The variable is asked first: a session takes longer to make than a request.
    if os.environ.get("AWS_DEFAULT_REGION") or boto3.session.Session().region_name:
        return
    if not (address := _make_run()):
        return
    try:
        host = urlsplit(address["endpoint"])
        with socket.create_connection((host.hostname, host.port), timeout=5):
            pass
    except OSError:
        return  # nothing runs: botocore says that the region is missing
    os.environ |= {
        "AWS_ENDPOINT_URL": address["endpoint"],
        "AWS_DEFAULT_REGION": address["region"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    print(
        f"no region is set: this is the stack of `make run` at {address['endpoint']}",
        file=sys.stderr,
    )


def _make_run() -> dict[str, str]:
    """Return what a `make run` has written of its stack; nothing where there is no such file."""
    try:
        written: dict[str, str] = json.loads(LOCAL.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return written


@contextmanager
def aws_errors() -> Iterator[None]:
    """Exit with one sentence where AWS refuses a command or is not reached."""
    try:
        yield
    except ClientError as error:
        raise SystemExit(f"AWS refuses: {error}; {_remedy(error)}") from None
    except BotoCoreError as error:
        raise SystemExit(
            f"{str(error).rstrip('.')}; are AWS_REGION and credentials set, or is `make run` up?"
        ) from None


def _remedy(error: ClientError) -> str:
    code = str(error.response["Error"].get("Code"))
    found = (remedy for pattern, remedy in REMEDIES.items() if re.search(pattern, code))
    return next(found, "are these the right account and region?")
