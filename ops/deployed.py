"""A deployed stack: its outputs, parameters and resources, read from CloudFormation."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

LOCAL = Path(".local/stack.json")  # `make run` writes it, and removes it at its end
NO_STACK = "ValidationError"  # CloudFormation's code for a stack that does not exist


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
    if not boto3.session.Session().region_name:
        _choose_local_aws()
    try:
        stack = read_stack(boto3.client("cloudformation"), name)
    except ClientError as error:
        if error.response["Error"]["Code"] != NO_STACK:
            raise
        raise SystemExit(f"there is no stack {name} here; run `make deploy` first") from None
    if not stack.outputs:
        raise SystemExit(f"stack {name} is not deployed whole; `make deploy` says why")
    return stack


def _choose_local_aws() -> None:
    """Let all clients of this process reach the AWS of `make run`, if it runs."""
    try:
        address = json.loads(LOCAL.read_text("utf-8"))
        host = urlsplit(address["endpoint"])
        with socket.create_connection((host.hostname, host.port), timeout=1):
            pass
    except (OSError, ValueError):
        return  # nothing runs: botocore says that the region is missing
    os.environ |= {
        "AWS_ENDPOINT_URL": address["endpoint"],
        "AWS_DEFAULT_REGION": address["region"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    print(f"no region is set: this is the stack of `make run` at {address['endpoint']}")


@contextmanager
def aws_errors() -> Iterator[None]:
    """Exit with one sentence where AWS refuses a command or is not reached."""
    try:
        yield
    except ClientError as error:
        raise SystemExit(f"AWS refuses: {error}; are these the right account and rights?") from None
    except BotoCoreError as error:
        raise SystemExit(f"{error}; are region and credentials set?") from None
