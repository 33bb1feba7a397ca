"""ops.deploy_faults: what keeps a deploy from its end, with the cause and the next command."""

import os

import pytest

from ops import deploy_faults
from ops.deploy_faults import alone, cause_of, choose_region, judge_name
from ops.findings import LOOK

# As SAM shows an event of CloudFormation: the last column is broken into lines.
DENIED = """
CREATE_FAILED     AWS::IAM::Role     TrackFunctionRole     Resource handler returned
                                                           message: "User: arn:aws:sts
                                                           is not authorized to perform:
                                                           iam:CreateRole on resource:
                                                           arn:aws:iam::1:role/relay-x
                                                           because no policy allows it"
"""
RESERVED = (
    "CREATE_FAILED IngressFunction Specified ReservedConcurrentExecutions for function decreases "
    "account's UnreservedConcurrentExecution below its minimum value of [100]."
)
AGAIN = "`make deploy STACK=relay`"
# A change set's rows, the events of a deploy that failed, and what SAM says at its end.
WHOLE = """
+ Add                IngressErrorsAlarm    AWS::CloudWatch::Alarm       N/A
* Modify             StateTable            AWS::DynamoDB::Table         False
UPDATE_IN_PROGRESS   AWS::SQS::Queue       SpillQueue                   -
UPDATE_FAILED        AWS::SQS::Queue       SpillQueue                   {reason}
UPDATE_ROLLBACK_IN_PROGRESS AWS::CloudFormation::Stack relay            The following resource(s)
                                                                        failed to update
DELETE_FAILED        AWS::Events::EventBus ForwardBus                   it has rules
UPDATE_ROLLBACK_COMPLETE AWS::CloudFormation::Stack relay               -
Error: Failed to create/update the stack: relay, Waiter StackUpdateComplete failed: Waiter
encountered a terminal failure state: we matched expected path: "UPDATE_ROLLBACK_COMPLETE"
"""


@pytest.mark.parametrize(
    ("text", "cause", "next_step"),
    [
        (DENIED, "iam:CreateRole on resource: arn:aws:iam::1:role/relay-x;", AGAIN),
        ("Error: x is not authorized to perform: iam:PassRole", "iam:PassRole;", AGAIN),
        ("ExpiredToken: The security token is expired", "have expired", "`aws sso login`"),
        ("Unable to locate credentials", "no credentials", "`aws configure`"),
        ("Error: You must specify a region", "no region", "`export AWS_REGION=eu-central-1`"),
        ("Type of property 'BatchSize' is invalid.", "BatchSize", "`make check`"),
        (RESERVED, "less than 100 copies", "Service Quotas"),
        ("Stack:arn is in ROLLBACK_COMPLETE state", "first deploy failed", "sam delete --stack-na"),
        ("Stack:arn is in UPDATE_ROLLBACK_FAILED state", "rollback", "continue-update-rollback"),
        ("Stack:arn is in UPDATE_IN_PROGRESS state", "is under way", AGAIN),
        ("stack is in DELETE_FAILED state", "half deleted", "sam delete --stack-name relay"),
        ("Error: Value 'x' at 'stackName' failed", "128 letters", "`make deploy STACK=relay`"),
        ("Error: Table is protected by DeletionProtection", "is protected", AGAIN),
        ("CREATE_FAILED message: LimitExceeded", "at a limit", "Service Quotas"),
        ("CREATE_FAILED relay already exists in stack", "already", "`make deploy STACK=...`"),
        ("Error: the moon is full", "the moon is full", ""),
        (WHOLE.format(reason="x already exists"), "already", "`make deploy STACK=...`"),
        (WHOLE.format(reason="LimitExceeded"), "at a limit", "Service Quotas"),
        (WHOLE.format(reason="the moon is full"), "SpillQueue", "the moon is full"),
    ],
)
def test_an_error_is_told_with_its_cause_and_the_next_command(text, cause, next_step):
    """Right and resource, credentials, region, a half stack, limits; else the error itself."""
    listed = "Deploying with following values\n  Region : eu-central-1\n  StackName: relay\n"
    message = cause_of(f"{listed}{text}\n", "relay")
    assert cause in message
    assert next_step in message


@pytest.mark.parametrize("name", ["", "1relay", "re_lay", "re lay", "r" * 129])
def test_a_name_that_aws_refuses_is_refused_before_the_build(name):
    """A name has a letter first, and at most 128 letters, digits and hyphens."""
    with pytest.raises(SystemExit, match="128 letters"):
        list(judge_name(name))


def test_a_long_name_is_taken_and_its_price_is_told():
    """Of 128 characters as of 29: the names of functions and queues are cut."""
    assert list(judge_name("r" * 28)) == []
    for length in (29, 128):
        (finding,) = judge_name("r" * length)
        assert finding.level == LOOK
        assert f"{length} characters" in finding.text


def test_a_second_deploy_of_the_folder_waits_for_the_first(tmp_path, monkeypatch):
    """The two would build over each other; after the first one the next may begin."""
    monkeypatch.setattr(deploy_faults, "LOCK", tmp_path / "build" / "lock")
    with alone(), pytest.raises(SystemExit, match="is under way"), alone():
        pass
    with alone():
        pass


def test_the_region_is_the_environment_s_then_that_of_samconfig(monkeypatch):
    """Without either the command ends before it builds."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(SystemExit, match="AWS_REGION"):
        choose_region("default")
    choose_region("local")
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-central-1"
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    choose_region("local")
    assert os.environ["AWS_DEFAULT_REGION"] == "us-east-1"
