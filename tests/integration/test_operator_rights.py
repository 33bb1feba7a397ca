"""The operator's policy: every AWS operation of the operator's commands, and none without use."""

import ast
from fnmatch import fnmatchcase
from pathlib import Path

from botocore import xform_name
from botocore.loaders import Loader

from tests import processed
from tests.snapshots import variant

ROOT = Path(__file__).parents[2]
SERVICES = ("cloudformation", "cloudwatch", "dynamodb", "lambda", "logs", "s3", "sns", "sqs", "ssm")
DEPLOYING = {"build.py", "deploy.py", "deploy_faults.py"}  # SAM's rights, which are not these
# Rights that go by another name than the operation, or that come with another operation.
ACTIONS = {
    "lambda:Invoke": ["lambda:InvokeFunction"],
    "s3:ListObjectsV2": ["s3:ListBucket"],
    "sqs:ChangeMessageVisibilityBatch": ["sqs:ChangeMessageVisibility"],
    "sqs:DeleteMessageBatch": ["sqs:DeleteMessage"],
    "sqs:SendMessageBatch": ["sqs:SendMessage"],
    "ssm:GetParameters": ["ssm:GetParameters", "ssm:GetParameter"],
    "ssm:GetParameter": ["ssm:GetParameter", "ssm:GetParameters"],
}
# What code of the package does that the commands use: state_requests, sweep_state, brake, history,
# echo and slots.
BY_PACKAGE = {
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "dynamodb:ConditionCheckItem",
}


def operations():
    """Return the actions of each boto3 method: {"list_queues": {"sqs:ListQueues"}}."""
    loader, found = Loader(), {}
    for service in SERVICES:
        version = loader.determine_latest_version(service, "service-2")
        for name in loader.load_service_model(service, "service-2", version)["operations"]:
            found.setdefault(xform_name(name), set()).add(f"{service}:{name}")
    return found


def used():
    """Return the operations that the commands name: as a method, or of a paginator."""
    known, found = operations(), {}
    for file in sorted((ROOT / "ops").glob("*.py")):
        if file.name in DEPLOYING:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            name = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                name = node.func.attr
                if name == "get_paginator" and isinstance(node.args[0], ast.Constant):
                    name = node.args[0].value
            if name in known:
                found[name] = known[name]
    return found


def granted():
    """Return the actions of the policy."""
    resources = processed.read()["Resources"]
    statements = resources["Operator"]["Properties"]["PolicyDocument"]["Statement"]
    actions = set()
    for one in statements:
        statement = one.get("Fn::If", [None, one])[1]
        action = statement["Action"]
        actions |= {action} if isinstance(action, str) else set(action)
    return actions


def test_every_command_has_its_rights():
    """An operation that a command names is granted, by its own name or by that of its right."""
    actions = granted()
    lacking = {
        name: operations
        for name, operations in used().items()
        if not any(right in actions for one in operations for right in ACTIONS.get(one, [one]))
    }
    assert lacking == {}


def test_no_right_is_without_a_command():
    """A right that no command needs is taken out."""
    needed = {
        right for found in used().values() for one in found for right in ACTIONS.get(one, [one])
    }
    assert granted() - needed - BY_PACKAGE - {"kms:Decrypt", "kms:GenerateDataKey"} == set()


def test_the_stack_may_be_read_by_its_name():
    """CloudFormation judges such a request on `stack/<name>/*`, which is no pattern there."""
    asked = "arn:aws:cloudformation:eu-central-1:123456789012:stack/relay/*"
    policy = variant("OperatorPolicy")["Resources"]["Operator"]["Properties"]["PolicyDocument"]
    (stack,) = [
        one["Resource"]
        for one in policy["Statement"]
        if "cloudformation:DescribeStacks" in one["Action"]
    ]
    assert fnmatchcase(asked, stack)


def test_whoever_runs_a_reaction_may_do_what_it_may():
    """`make listen WRITE=1` runs its handler with the stack's tables, by the operator's rights."""
    resources = variant("OperatorPolicy")["Resources"]
    (own,) = resources["FollowUpFunctionRole"]["Properties"]["Policies"]
    documents = [own["PolicyDocument"], resources["Operator"]["Properties"]["PolicyDocument"]]
    reaction, operator = (
        {
            (action, one["Resource"]["Fn::GetAtt"][0])
            for one in document["Statement"]
            if str(one["Action"]).find("dynamodb:") >= 0
            for action in (one["Action"] if isinstance(one["Action"], list) else [one["Action"]])
        }
        for document in documents
    )
    assert reaction - operator == set()
