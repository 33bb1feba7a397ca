"""What a deployed stack says of itself."""

from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError


@dataclass(frozen=True)
class Deployed:
    """A stack's name, outputs, parameters, and its resources by logical id."""

    name: str
    outputs: dict[str, str]
    parameters: dict[str, str]

    @property
    def allow_http(self) -> bool:
        """Whether portals may be without TLS."""
        return self.parameters.get("AllowHttp") == "true"

    def resources(self) -> dict[str, str]:
        """Return the physical ids of the stack's resources by their logical ones."""
        pages = boto3.client("cloudformation").get_paginator("list_stack_resources")
        return {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.name)
            for item in page["StackResourceSummaries"]
        }


def find_stack(name: str) -> Deployed:
    """Return a deployed stack; exits with what to do where there is none."""
    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError:
        raise SystemExit(f"there is no stack {name} here; run `make deploy` first") from None
    except BotoCoreError as error:
        raise SystemExit(f"{error}; are region and credentials set?") from None
    outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}
    given = {item["ParameterKey"]: item["ParameterValue"] for item in found.get("Parameters", [])}
    return Deployed(name, outputs, given)
