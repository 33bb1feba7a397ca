"""What each function may do, as AWS gets it: what its code calls, on its own, and nothing else."""

import ast
import copy
import json
import re

import pytest

from tests import processed
from tests.calls import SOURCE, calls, rows
from tests.rights import Right, allowed

TEMPLATE = processed.read()
REACTIONS = TEMPLATE["Mappings"]["Reaction"]
LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
KEEPING = {"s3:PutObject", "s3:ListBucket"}  # a poller's, of what it gives up
POLLING = {
    "sqs": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
    "dynamodb": {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    },
}
# What is found in code that a function loads, and never comes to.
NEVER = {
    "AnnounceFunction": {
        ("ssm:GetParametersByPath", "settings.py"),
        ("dynamodb:BatchGetItem", "tracking/mirror.py"),
        ("dynamodb:GetItem", "tracking/brake.py"),
        ("dynamodb:GetItem", "tracking/sweep_state.py"),
        ("dynamodb:UpdateItem", "portal/shared_slots.py"),
        ("dynamodb:UpdateItem", "tracking/brake.py"),
        ("dynamodb:UpdateItem", "tracking/mirror.py"),
        ("dynamodb:UpdateItem", "tracking/sweep_state.py"),
    },
    "SweepFunction": {
        ("dynamodb:GetItem", "tracking/brake.py"),
        ("dynamodb:UpdateItem", "tracking/brake.py"),
        ("dynamodb:UpdateItem", "tracking/event_times.py"),
    },
}
NO_ROW = {
    "AnnounceFunction": {"brake#", "slots#", "sweep#"},
    "SweepFunction": {"brake#"},
}
# What is a function's own beside the log: by what its name begins with.
OWN = {
    "IngressFunction": {"EventsTopic", "SpillQueue", "application-tokens", "robots"},
    "RepublishFunction": {
        "EventsTopic",
        "SpillQueue",
        "SpillDeadLetters",
        "application-tokens",
        "robots",
    },
    "TrackFunction": {
        "Mirror",
        "StateTable",
        "TrackQueue",
        "TrackDeadLetters",
        "webhook-urls/read",
    },
    "SweepFunction": {
        "EventsTopic",
        "Mirror",
        "StateTable",
        "TrackQueue",
        "webhook-urls/read",
    },
    "AnnounceFunction": {
        "Mirror",
        "StateTable",
        "History",
        "AnnounceDeadLetters",
        "Unannounced",
        "ChangesTopic",
    },
    "ForwardFunction": {"ForwardBus", "ForwardQueue", "ForwardDeadLetters"},
} | {
    f"{name}Function": {
        "StateTable",
        "History",
        f"{name}Queue",
        f"{name}DeadLetters",
        entry.get("Webhook", "webhook-urls/write"),
        entry.get("Secrets", "none"),
    }
    for name, entry in REACTIONS.items()
}


def everything(template=TEMPLATE):
    """Return the resources with all reactions, and everything forwarded."""
    whole = processed.with_reactions(template, list(REACTIONS))
    return processed.process(whole, Forward="all")["Resources"]


@pytest.fixture(scope="module")
def resources():
    """Return the resources with everything on."""
    return everything()


def functions(resources):
    """Return each function's handler."""
    return {
        name: one["Properties"]["Handler"]
        for name, one in resources.items()
        if one["Type"] == "AWS::Lambda::Function"
    }


def owner(right: Right) -> str:
    """Return what a right is on: the resource's logical id, or the branch of secrets."""
    if ":parameter/relay/relay/" in right.resource:
        return right.resource.partition(":parameter/relay/relay/")[2]
    logical = re.search(r"\$\{(\w+)|^(\w+)\.", right.resource)
    return next(filter(None, logical.groups())) if logical else right.resource


def of_code(resources, name):
    """Return a function's rights for what its code does, polling and logging apart."""
    mapped = {
        mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
        for mapping in resources.values()
        if mapping["Type"] == "AWS::Lambda::EventSourceMapping"
        and json.dumps(mapping["Properties"]["FunctionName"]).find(f'"{name}"') > 0
    }
    found = set()
    keeps = {
        mapping["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for mapping in resources.values()
        if "DestinationConfig" in mapping["Properties"]
    }
    for right in allowed(resources, f"{name}Role"):
        polls = POLLING["dynamodb"] | POLLING["sqs"] - {"sqs:GetQueueAttributes"}
        if right.action in polls:
            assert owner(right) in mapped, right
        elif right.action in KEEPING:
            assert owner(right) in keeps, right
        elif right.action not in LOGS:
            found.add(right)
    return found


def judge(resources):
    """Raise AssertionError where a function may do something to what is not its own."""
    for name in functions(resources):
        for right in allowed(resources, f"{name}Role"):
            assert "*" not in right.resource.removesuffix(".Arn}/*"), (name, right)  # of a bucket
            assert right.action.rstrip("*") != right.action.partition(":")[0] + ":", (name, right)
            own = {"Logs"} if right.action in LOGS else OWN[name]
            assert owner(right) in own, (name, right)
            if owner(right) == "StateTable":
                assert right.rows, (name, right)
                assert all(re.match("[a-z]+#", row) for row in right.rows), (name, right)


def test_no_function_may_touch_what_is_not_its_own(resources):
    """Managed policies count: SAM's own for a queue would be one on every queue of the account."""
    judge(resources)


def test_every_call_of_the_code_has_its_right_and_no_right_is_without_a_call(resources):
    """By function -> boto3 call -> statement, from the code: a new call fails here, not on AWS."""
    for name, handler in functions(resources).items():
        never = NEVER.get(name, set())
        needed = {
            action
            for action, files in calls(handler).items()
            if any((action, file) not in never for file in files)
        }
        granted = {right.action.rstrip("*") for right in of_code(resources, name)}
        polls = {"sqs:GetQueueAttributes"} - needed
        assert granted - polls == needed, name


def test_a_function_may_touch_the_rows_that_its_code_makes(resources):
    """In the State table: of a reaction the checkpoints that are its own."""
    for name, handler in functions(resources).items():
        rights = of_code(resources, name)
        given = {row for right in rights if owner(right) == "StateTable" for row in right.rows}
        made = rows(handler) - NO_ROW.get(name, set())
        if not any(owner(right) == "StateTable" for right in rights):
            continue
        reaction = handler.split(".")[2]
        own = {f"done#{reaction}#*", f"newest#{reaction}#*"}
        expected = {f"{row}*" for row in made - {"done#", "newest#"}} | (
            own if made & {"done#", "newest#"} else set()
        )
        assert given == expected, name


@pytest.mark.parametrize("name", REACTIONS)
def test_a_reaction_that_calls_no_portal_reads_no_webhook(name):
    """Its entry says so where its coroutine takes no portal; its name is its file's."""
    module = REACTIONS[name]["Handler"].split(".")[2]
    tree = ast.parse((SOURCE / f"relay/reactions/{module}.py").read_text("utf-8"))
    (coroutine,) = [
        node
        for node in tree.body
        if isinstance(node, ast.AsyncFunctionDef)
        and any(isinstance(one, ast.Name) and one.id == "reaction" for one in node.decorator_list)
    ]
    assert coroutine.name == module
    takes_portal = len(coroutine.args.args) > 1
    assert (REACTIONS[name].get("Webhook") != "none") is takes_portal


def test_a_reaction_reads_the_history_of_its_entrys_kind_only():
    """Without `History` in the entry it is the kind `none`, which no item has."""
    template = copy.deepcopy(TEMPLATE)
    template["Mappings"]["Reaction"]["FollowUp"]["History"] = "deal"
    found = everything(template)
    for name, rows_allowed in (("FollowUp", {"*/deal/*"}), ("TidyPhone", {"*/none/*"})):
        rights = allowed(found, f"{name}FunctionRole")
        assert {
            row for one in rights if owner(one) == "History" for row in one.rows
        } == rows_allowed


def with_change(change):
    """Return the resources of a template that somebody has changed."""
    template = copy.deepcopy(TEMPLATE)
    change(template["Resources"])
    return everything(template)


def sam_event(resources):
    """Give a reaction its queue by SAM's event, as it was once."""
    loop = resources["Fn::ForEach::React"][2]
    properties = loop.pop("${Name}FunctionQueue")["Properties"]
    del properties["FunctionName"], properties["ScalingConfig"]
    properties["Queue"] = properties.pop("EventSourceArn")
    loop["${Name}Function"]["Properties"]["Events"] = {
        "Queue": {"Type": "SQS", "Properties": properties}
    }


def no_denial(resources):
    """Leave SAM's right to all logs as it is."""
    statements = resources["CommonPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    resources["CommonPolicy"]["Properties"]["PolicyDocument"]["Statement"] = statements[1:]


def another_queue(resources):
    """Let track's poller read the spill queue, with the tokens in it."""
    statement = resources["TrackFunction"]["Properties"]["Policies"][1]["Statement"][2]
    statement["Resource"] = {"Fn::GetAtt": ["SpillQueue", "Arn"]}


def any_row(resources):
    """Let a reaction write any row of the State table."""
    function = resources["Fn::ForEach::React"][2]["${Name}Function"]
    for statement in function["Properties"]["Policies"][1]["Statement"]:
        statement.pop("Condition", None)


@pytest.mark.parametrize("mistake", [sam_event, no_denial, another_queue, any_row])
def test_a_right_too_many_is_found(mistake):
    """The judge is no yes-man: each is a mistake that the template once had, or nearly."""
    found = with_change(mistake)
    with pytest.raises((AssertionError, KeyError)):
        judge(found)
