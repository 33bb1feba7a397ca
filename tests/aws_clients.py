"""The AWS of a test: commands and functions find its clients where boto3 makes them."""

import json
from collections.abc import Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import boto3

from relay import settings
from relay.reaction.resolver import PortalResolver

ADDED = {"level", "timestamp", "service", "by"}  # by the audit, to each line


class AwsClients(dict):
    """Clients by service; `every` stands for those that are not named."""

    def __init__(self, every=None, **clients):
        super().__init__(clients)
        self.every, self.notes = every, []

    def __call__(self, service, *_region, **_options):
        """Return a client, as boto3 does."""
        return self[service]

    def cache_clear(self):
        """Keep nothing: it stands for settings.client, too."""

    def __missing__(self, service):
        """Return the client that stands for all others."""
        if self.every is None:
            raise KeyError(service)
        return self.every

    def __setitem__(self, service, client):
        """Put a client in place, also of one that a function has made."""
        settings.client.cache_clear()
        super().__setitem__(service, client)

    def deploy(self, stack):
        """Let commands find a stack, and note in its log what they did."""
        self["cloudformation"], self["logs"] = CloudFormation(stack), Logs(self.notes)
        self["sts"] = self["logs"]
        return self


class CloudFormation:
    """The service, with one stack."""

    def __init__(self, stack):
        self.stack = stack

    def describe_stacks(self, *, StackName):  # noqa: N803  boto3's names
        """Return its outputs and parameters; there is always an output."""
        assert StackName == self.stack.name
        outputs = self.stack.outputs or {"HookUrl": "https://hook.example/bitrix24"}
        parameters = _listed("Parameter", self.stack.parameters)
        return {"Stacks": [{"Outputs": _listed("Output", outputs), "Parameters": parameters}]}

    def get_paginator(self, _operation):
        """Return this object: it is the paginator too."""
        return self

    def paginate(self, *, StackName):  # noqa: N803  boto3's names
        """Yield its resources."""
        assert StackName == self.stack.name
        rows = self.stack.resources.items()
        yield {
            "StackResourceSummaries": [
                {"LogicalResourceId": name, "PhysicalResourceId": one} for name, one in rows
            ]
        }


def _listed(kind: str, values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{f"{kind}Key": name, f"{kind}Value": value} for name, value in values.items()]


class Logs:
    """A log group and the caller's identity: `notes` has each line as (message, its fields)."""

    def __init__(self, notes):
        self.notes = notes

    def get_caller_identity(self):
        """Return who runs the command."""
        return {"Arn": "arn:aws:iam::1:user/ada"}

    def create_log_stream(self, **_):
        """Take a stream."""

    def put_log_events(self, *, logEvents, **_):  # noqa: N803  boto3's names
        """Take lines."""
        for event in logEvents:
            line = json.loads(event["message"])
            fields = {name: one for name, one in line.items() if name not in {*ADDED, "message"}}
            self.notes.append((line["message"], fields))


@contextmanager
def functions_of(get, **clients):
    """Let functions have these clients within, and commands those that they had.

    `get` returns the client of a portal that reactions write to, by its name.
    """
    own = patch.object(settings, "client", AwsClients(**clients))
    with own, written_to(SimpleNamespace(get=get)):
        yield


def written_to(portals):
    """Let `portals.get` return the clients of portals that reactions write to, by their names."""
    return patch.object(PortalResolver, "client", lambda _resolver, name: portals.get(name))


@contextmanager
def aws_of(every=None, **clients):
    """Yield the clients that boto3 makes within."""
    settings.forget()
    made = AwsClients(every, **clients)
    with patch.object(boto3, "client", made):
        yield made
    settings.forget()
