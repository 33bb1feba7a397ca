"""A change goes in, a rule's target has it: SNS, SQS, Lambda, EventBridge, SQS."""

import json

import pytest

from ops.build import ROOT
from tests.samples import bodies


def test_a_change_reaches_the_target_of_a_rule_and_others_do_not(relay, await_until):
    """The example rule, switched on, gets the deal that was won, the stage reached before not."""
    events, sqs = relay.aws.client("events"), relay.aws.client("sqs")
    rule = relay.stack.resources["WonDealsRule"].rpartition("|")[2].rpartition("/")[2]
    bus = relay.stack.resources["ForwardBus"]
    events.enable_rule(Name=rule, EventBusName=bus)
    (won,), (stage,) = bodies("sqs_deal_won"), bodies("sqs_deal_stage_reached")
    for change in (stage, won):
        relay.aws.client("sns").publish(
            TopicArn=relay.stack.resources["ChangesTopic"],
            Message=json.dumps(change),
            MessageGroupId="main",
        )
    queue = relay.stack.resources["WonDealsQueue"]
    found = await_until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert [json.loads(message["Body"]) for message in found] == [won]
    await_until(lambda: relay.messages("ForwardQueue") == 0)
    assert relay.messages("ForwardDeadLetters") == 0
    events.disable_rule(Name=rule, EventBusName=bus)


@pytest.fixture
def contacts(relay):
    """Return the URL of a queue that the stack of rules in the docs is told to send to."""
    cloudformation, sqs = relay.aws.client("cloudformation"), relay.aws.client("sqs")
    url = sqs.create_queue(QueueName="contacts")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    parameters = {
        "BusName": relay.stack.resources["ForwardBus"],
        "QueueArn": asked["Attributes"]["QueueArn"],
        "StateMachineArn": "arn:aws:states:eu-central-1:000000000000:stateMachine:won",
        "OtherBusArn": "arn:aws:events:eu-central-1:111111111111:event-bus/other",
    }
    cloudformation.create_stack(
        StackName="rules",
        TemplateBody=(ROOT / "docs/rules.yaml").read_text("utf-8"),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="rules", WaiterConfig={"Delay": 1}
    )
    yield url
    cloudformation.delete_stack(StackName="rules")


def test_the_rules_of_the_docs_work(relay, await_until, contacts):
    """The one for a queue gets contacts and nothing else; CloudFormation takes the others."""
    for name in ("sqs_deal_stage_reached", "sqs_contact_phone_changed"):
        (change,) = bodies(name)
        relay.aws.client("sns").publish(
            TopicArn=relay.stack.resources["ChangesTopic"],
            Message=json.dumps(change),
            MessageGroupId="main",
        )
    sqs = relay.aws.client("sqs")
    found = await_until(lambda: sqs.receive_message(QueueUrl=contacts).get("Messages"))
    assert [json.loads(message["Body"])["subject"] for message in found] == ["contact/89"]
    await_until(lambda: relay.messages("ForwardQueue") == 0)
    assert not sqs.receive_message(QueueUrl=contacts).get("Messages")
