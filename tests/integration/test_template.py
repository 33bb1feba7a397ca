"""template.yaml: what the code needs is there, and AWS will take it."""

import json
import re
from pathlib import Path

import boto3
import pytest
from cfnlint.decode.cfn_yaml import load
from moto import mock_aws

from relay.forward import SOURCE
from tests.samples import EVENTS, bodies, passes, reaches

ROOT = Path(__file__).parents[2]
TEMPLATE = load(str(ROOT / "template.yaml"))
RESOURCES = TEMPLATE["Resources"]
LOOP = RESOURCES["Fn::ForEach::React"]
REACTIONS = TEMPLATE["Mappings"]["Reaction"]
ALARMS = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if not name.startswith("Fn::") and resource["Type"] == "AWS::CloudWatch::Alarm"
}


def logical_id(module):
    """Return the reaction's name in the template for its module's."""
    return "".join(part.capitalize() for part in module.split("_"))


def test_every_reaction_is_in_the_template_and_the_reverse():
    """A file without a mapping entry is never deployed, an entry without a file can't be."""
    files = {
        logical_id(path.stem): f"relay.reactions.{path.stem}.handler"
        for path in (ROOT / "src/relay/reactions").glob("[a-z]*.py")
    }
    assert {name: entry["Handler"] for name, entry in REACTIONS.items()} == files
    assert set(LOOP[1]) <= set(REACTIONS)
    assert len(set(LOOP[1])) == len(LOOP[1])


@pytest.mark.parametrize("name", REACTIONS)
def test_every_reaction_has_a_sample_that_its_filter_lets_through(name):
    """Switched off or on: what it is tested with is what it would get."""
    assert any(reaches(REACTIONS[name], path.stem) for path in EVENTS.glob("sqs_*.json"))


def test_a_reaction_reads_the_secrets_that_its_entry_names_and_no_others():
    """One statement of the loop, on the webhooks again where the entry names no branch."""
    policies = LOOP[2]["${Name}Function"]["Properties"]["Policies"]
    (statements,) = [policy["Statement"] for policy in policies if "Statement" in policy]
    text, names = next(
        statement["Resource"]["Fn::Sub"]
        for statement in statements
        if isinstance(statement["Resource"].get("Fn::Sub"), list)
    )
    assert text.endswith(":parameter/relay/${AWS::StackName}/${Branch}")
    default = {"DefaultValue": "webhook-urls/write"}
    assert names["Branch"]["Fn::FindInMap"] == ["Reaction", {"Ref": "Name"}, "Secrets", default]
    assert REACTIONS["PostJson"]["Secrets"] == "secrets"
    assert {entry.get("Secrets", "secrets") for entry in REACTIONS.values()} == {"secrets"}


def test_every_handler_is_there():
    """Each function's handler is a module of ours that has one."""
    for name, resource in RESOURCES.items():
        if not name.startswith("Fn::") and resource["Type"] == "AWS::Serverless::Function":
            module = resource["Properties"]["Handler"].removesuffix(".handler")
            source = (ROOT / "src" / module.replace(".", "/")).with_suffix(".py").read_text("utf-8")
            assert re.search(r"^def handler\(|^handler = ", source, re.MULTILINE), name


@pytest.mark.parametrize("name", REACTIONS)
def test_sns_takes_every_filter(name):
    """A filter beyond SNS's limits (5 keys, 150 combinations) would fail the deploy; moto knows."""
    with mock_aws():
        sns, sqs = boto3.client("sns"), boto3.client("sqs")
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        subscribed = sns.subscribe(
            TopicArn=sns.create_topic(Name="t")["TopicArn"],
            Protocol="sqs",
            Endpoint=arn["Attributes"]["QueueArn"],
            Attributes={
                "FilterPolicyScope": "MessageBody",
                "FilterPolicy": json.dumps(json.loads(REACTIONS[name]["Filter"])),
            },
        )
        assert subscribed["SubscriptionArn"]


def test_moto_refuses_a_filter_that_sns_would_refuse():
    """The check above can fail: 160 combinations are ten too many."""
    with mock_aws():
        sns = boto3.client("sns")
        policy = {"data": {"after": {"stageId": [f"S{number}" for number in range(54)]}}}
        with pytest.raises(sns.exceptions.ClientError, match="FilterPolicy"):
            sns.subscribe(
                TopicArn=sns.create_topic(Name="t")["TopicArn"],
                Protocol="sqs",
                Endpoint="arn:aws:sqs:eu-central-1:123456789012:q",
                Attributes={"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(policy)},
            )


def resources():
    """Return every resource, those of the loop once."""
    plain = {name: value for name, value in RESOURCES.items() if not name.startswith("Fn::")}
    return plain | LOOP[2]


def test_every_queue_is_encrypted_and_has_its_dead_letters_and_alarms():
    """No queue without a dead-letter queue, none of those without an alarm on its depth."""
    queues = {n: r for n, r in resources().items() if r["Type"] == "AWS::SQS::Queue"}
    alarms = json.dumps(ALARMS | LOOP[2], default=str)
    for name, queue in queues.items():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True, name
        dead = name.endswith("DeadLetters")
        assert ("RedrivePolicy" in queue["Properties"]) is not dead
        assert name.removeprefix("${Name}") in alarms, name
        if dead or name == "SpillQueue":
            assert queue["DeletionPolicy"] == queue["UpdateReplacePolicy"] == "Retain", name


def test_every_queue_waits_longer_than_its_function_may_run():
    """A record that is still being worked on must not be given to another copy."""
    function = LOOP[2]["${Name}Function"]["Properties"]
    window = function["Events"]["Queue"]["Properties"]["MaximumBatchingWindowInSeconds"]
    assert (
        LOOP[2]["${Name}Queue"]["Properties"]["VisibilityTimeout"]
        == 6 * function["Timeout"] + window
    )
    for name in ("Spill", "Forward"):
        waits = RESOURCES[f"{name}Queue"]["Properties"]["VisibilityTimeout"]
        assert waits > 6 * TEMPLATE["Globals"]["Function"]["Timeout"], name


def test_forwarding_costs_nothing_while_it_is_off():
    """Each of its resources has a condition, and the default is off."""
    assert TEMPLATE["Parameters"]["Forward"]["Default"] == "off"
    conditions = {
        name: resource.get("Condition")
        for name, resource in RESOURCES.items()
        if name.startswith(("Forward", "WonDeals"))
    }
    assert set(conditions.values()) == {"Forwards", "ForwardsEvents", "Archives"}


def test_the_example_rule_hears_the_sample_and_is_off():
    """Nothing gathers in its queue before somebody reads it; its pattern is what forward puts."""
    rule = RESOURCES["WonDealsRule"]["Properties"]
    assert rule["State"] == "DISABLED"
    (body,) = bodies("sqs_deal_won")
    put = {"source": SOURCE, "detail-type": body["type"], "detail": body}
    assert passes(rule["EventPattern"], put)
    assert not passes(rule["EventPattern"], put | {"detail": bodies("sqs_deal_stage_reached")[0]})


def test_every_event_source_reports_single_failures():
    """One record that must wait must not bring its whole batch back."""
    for name, resource in resources().items():
        if resource["Type"] == "AWS::Serverless::Function":
            for source in resource["Properties"]["Events"].values():
                if source["Type"] == "SQS":
                    assert source["Properties"]["FunctionResponseTypes"] == [
                        "ReportBatchItemFailures"
                    ], name


def test_no_function_may_do_everything():
    """Rights name their actions and resources."""
    for name, resource in resources().items():
        if resource["Type"] == "AWS::Serverless::Function":
            policies = json.dumps(resource["Properties"]["Policies"], default=str)
            assert '"*"' not in policies, name
            assert ":*" not in policies, name


def test_every_parameter_explains_itself():
    """Each has a description, a default, limits of some kind, and stands in a group."""
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter["Description"], name
        assert "Default" in parameter, name
        assert {"AllowedValues", "AllowedPattern", "MinValue"} & set(parameter), name


def test_no_secret_is_in_the_template():
    """Tokens and webhook URLs are read from Parameter Store only."""
    text = (ROOT / "template.yaml").read_text("utf-8")
    assert "/rest/" not in text
    assert "NoEcho" not in text
