"""ops.deploy, ops.quota: what AWS says of a deploy, in words that tell what to do."""

import pytest

from ops.deploy import change_findings
from ops.deployed import Deployed
from ops.findings import BAD, LOOK, OK
from ops.quota import quota_findings


def change(name, kind, action="Modify", replacement="False"):
    """Return a change as a change set describes it."""
    return {
        "LogicalResourceId": name,
        "ResourceType": f"AWS::{kind}",
        "Action": action,
        "Replacement": replacement,
    }


def test_a_first_deploy_makes_resources_and_loses_nothing():
    """One line: how many."""
    changes = [
        change("Mirror", "DynamoDB::Table", "Add"),
        change("Api", "ApiGatewayV2::Api", "Add"),
    ]
    (finding,) = change_findings(changes)
    assert finding == (OK, "CloudFormation takes the template; resources: 2 made")


@pytest.mark.parametrize(
    ("changed", "level", "text"),
    [
        (change("Mirror", "DynamoDB::Table", replacement="True"), BAD, "is not announced"),
        (change("StateTable", "DynamoDB::Table", replacement="Conditional"), LOOK, "may be made"),
        (change("Api", "ApiGatewayV2::Api", replacement="True"), BAD, "new HookUrl"),
        (change("CallAdaQueue", "SQS::Queue", "Remove"), BAD, "records that wait in it"),
        (change("CallAdaDeadLetters", "SQS::Queue", "Remove"), LOOK, "old letters stay"),
        (change("ForwardBus", "Events::EventBus", "Remove"), LOOK, "rules of your own"),
    ],
)
def test_what_is_lost_is_said(changed, level, text):
    """Of what is made anew or removed; CloudFormation names the resource only."""
    _, finding = change_findings([changed])
    assert finding.level == level
    assert finding.text.startswith(changed["LogicalResourceId"])
    assert text in finding.text


def test_what_loses_nothing_needs_no_line():
    """A function or a policy is made anew without anybody noticing; a change in place too."""
    changes = [
        change("TrackFunctionRole", "IAM::Role", replacement="True"),
        change("TrackQueue", "SQS::Queue"),
        change("CallAdaFunction", "Lambda::Function", "Remove"),
    ]
    (finding,) = change_findings(changes)
    assert finding.text.endswith("1 changed, 1 made anew, 1 removed")


class Lambda:
    """An account."""

    def __init__(self, limit):
        self.limit = limit

    def get_account_settings(self):
        """Return how many copies it may run."""
        return {"AccountLimit": {"ConcurrentExecutions": self.limit}}


@pytest.mark.parametrize(
    ("limit", "reserved", "level"), [(10, "0", BAD), (30, "0", OK), (1000, "0", OK), (20, "5", OK)]
)
def test_an_account_that_leaves_ingress_no_room_is_bad(limit, reserved, level):
    """A new account may run ten copies: two reactions' backlog takes them all."""
    resources = dict.fromkeys(("TrackFunctionQueue", "AFunctionQueue", "BFunctionQueue"), "arn")
    given = {"ReactionConcurrency": "3", "IngressReserved": reserved}
    stack = Deployed("relay", {}, given, resources)
    (finding,) = quota_findings(Lambda(limit), stack)
    assert finding.level == level
    assert f"{limit} copies" in finding.text
    assert "a backlog here takes 15" in finding.text
