"""ops.deployed: a stack is read, or the command exits with a remedy."""

import json
import os
from contextlib import nullcontext

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from ops import deployed
from ops.deployed import aws_errors, find_stack


class CloudFormation:
    """A CloudFormation with one stack, or an error."""

    def __init__(self, error=None, **stack):
        self.error, self.stack = error, stack

    def describe_stacks(self, **_):
        """Return the stack, or raise the error."""
        if self.error:
            raise self.error
        return {"Stacks": [self.stack]}

    def get_paginator(self, _operation):
        """Return a paginator: this object."""
        return self

    def paginate(self, **_):
        """Return two pages of resources, one of which is still being made."""
        made = {"LogicalResourceId": "Api", "PhysicalResourceId": "api-1"}
        return [
            {"StackResourceSummaries": [made]},
            {"StackResourceSummaries": [{"LogicalResourceId": "Mirror"}]},
        ]


@pytest.fixture
def cloudformation(aws_clients):
    """Return the function that sets the CloudFormation that is asked."""

    def use(*arguments, **stack):
        aws_clients["cloudformation"] = CloudFormation(*arguments, **stack)

    return use


def test_a_stack_is_read_whole(cloudformation):
    """Outputs, parameters and the resources that exist are read, from every page."""
    cloudformation(
        Outputs=[{"OutputKey": "HookUrl", "OutputValue": "https://x"}],
        Parameters=[{"ParameterKey": "AllowHttp", "ParameterValue": "true"}],
    )
    stack = find_stack("relay")
    assert (stack.outputs, stack.resources) == ({"HookUrl": "https://x"}, {"Api": "api-1"})
    assert stack.allow_http


def refusal(code):
    """Return CloudFormation's error of this code."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            refusal("ValidationError"),
            "there is no stack relay in eu-central-1; run `make deploy` first",
        ),
        (refusal("AccessDenied"), "AWS refuses: .*AccessDenied.*the operator's policy"),
        (refusal("ExpiredTokenException"), "credentials have expired: sign in again"),
        (refusal("ThrottlingException"), "run the command again in a minute"),
        (refusal("AWS.SimpleQueueService.NonExistentQueue"), "half deleted"),
        (refusal("SomethingElse"), "right account and region"),
        (NoCredentialsError(), "are AWS_REGION and credentials set"),
        (None, "stack relay is not deployed whole"),
    ],
)
def test_each_error_of_aws_has_its_own_remedy(cloudformation, error, text):
    """A missing stack, a refusal, missing credentials and a failed deployment differ."""
    cloudformation(error)
    with pytest.raises(SystemExit, match=text), aws_errors():
        find_stack("relay")


def test_a_part_that_the_stack_lacks_is_named():
    """A half-deleted stack exits with the missing part, not with a traceback."""
    with pytest.raises(SystemExit, match=r"has no StateTable: it is half deleted.*make deploy"):
        deployed.Deployed("relay", {}, {}, {}).resource("StateTable")


def test_http_is_refused_unless_the_stack_allows_it():
    """A stack without the parameter, and one with `false`, allow no http."""
    for parameters in ({}, {"AllowHttp": "false"}):
        assert not deployed.Deployed("relay", {}, parameters, {}).allow_http


@pytest.fixture
def local_stack(monkeypatch, tmp_path):
    """Return the function that pretends that `make run` runs, or has been killed."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")  # restored after the test, whatever it sets
        monkeypatch.delenv(name)
    file = tmp_path / "stack.json"
    made = {"endpoint": "http://127.0.0.1:4566", "region": "eu-central-1", "stack": "relay"}
    file.write_text(json.dumps(made | {"hook_url": "http://127.0.0.1:4566/bitrix24"}))
    monkeypatch.setattr(deployed, "LOCAL", file)

    def connect(address, **_):
        if not connect.runs:
            raise ConnectionRefusedError(*address)
        return nullcontext()

    connect.runs = True
    monkeypatch.setattr(deployed.socket, "create_connection", connect)
    return connect


def test_without_a_region_the_stack_of_make_run_is_meant(cloudformation, local_stack, capsys):
    """The command says so, and every client of it reaches the local AWS."""
    assert local_stack.runs
    cloudformation(Outputs=[{"OutputKey": "HookUrl", "OutputValue": "http://x"}])
    find_stack("relay")
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert "this is the stack of `make run`" in capsys.readouterr().err


def test_the_address_of_make_run_is_one_that_answers(cloudformation, local_stack, monkeypatch):
    """The embedded AWS names a host that no resolver knows; another stack keeps its own address."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    cloudformation(Outputs=[{"OutputKey": "HookUrl", "OutputValue": "http://x"}])
    for endpoint, name, hook in (
        ("http://127.0.0.1:4566", "relay", "http://127.0.0.1:4566/bitrix24"),
        ("http://127.0.0.1:4566", "other", "http://x"),
        ("http://another", "relay", "http://x"),
    ):
        assert local_stack.runs
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        assert find_stack(name).outputs["HookUrl"] == hook


def test_a_stack_of_make_run_that_was_killed_is_not_meant(cloudformation, local_stack):
    """Its file is still there, but nothing listens."""
    local_stack.runs = False
    cloudformation(Outputs=[{"OutputKey": "HookUrl", "OutputValue": "http://x"}])
    find_stack("relay")
    assert "AWS_ENDPOINT_URL" not in os.environ


def test_a_region_that_is_set_outweighs_make_run(cloudformation, local_stack, monkeypatch):
    """Whoever has configured AWS means AWS, also while `make run` runs."""
    assert local_stack.runs
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    cloudformation(Outputs=[{"OutputKey": "HookUrl", "OutputValue": "http://x"}])
    find_stack("relay")
    assert "AWS_ENDPOINT_URL" not in os.environ
