"""The way of a change to a rule's target: SNS, SQS, Lambda, EventBridge, SQS."""

import json
from types import SimpleNamespace

import pytest

from ops.build import ROOT
from tests.samples import bodies


def test_a_change_reaches_the_target_of_a_rule_and_others_do_not(relay, await_until):
    """The example rule gets the Change of a won deal, and no Change of an earlier stage."""
    events, sqs = relay.aws.client("events"), relay.aws.client("sqs")
    rule = relay.stack.resources["WonDealsRule"].rpartition("|")[2].rpartition("/")[2]
    bus = relay.stack.resources["ForwardBus"]
    events.enable_rule(Name=rule, EventBusName=bus)
    before = relay.messages("ForwardDeadLetters")  # other tests publish messages that are no events
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
    assert relay.messages("ForwardDeadLetters") == before
    events.disable_rule(Name=rule, EventBusName=bus)


TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
MACHINE = {"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": True}}}


def make_queue(relay, name):
    """Make a queue; return its URL and its ARN."""
    sqs = relay.aws.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, asked["Attributes"]["QueueArn"]


@pytest.fixture
def targets(relay):
    """Return the targets of the rules in the docs: a queue, a machine, a bus and its queue.

    The bus is one of this account: the embedded AWS drops what is for another's.
    """
    cloudformation, events = relay.aws.client("cloudformation"), relay.aws.client("events")
    contacts, contacts_arn = make_queue(relay, "contacts")
    others, others_arn = make_queue(relay, "others")
    states = relay.aws.client("stepfunctions")
    role = relay.aws.client("iam").create_role(
        RoleName="machine", AssumeRolePolicyDocument=json.dumps(TRUST)
    )["Role"]["Arn"]
    machine = states.create_state_machine(name="won", definition=json.dumps(MACHINE), roleArn=role)[
        "stateMachineArn"
    ]
    bus = events.create_event_bus(Name="other")["EventBusArn"]
    pattern = json.dumps({"source": ["bitrix24-relay"]})
    events.put_rule(Name="all", EventBusName="other", EventPattern=pattern)
    events.put_targets(
        Rule="all", EventBusName="other", Targets=[{"Id": "queue", "Arn": others_arn}]
    )
    parameters = {
        "BusName": relay.stack.resources["ForwardBus"],
        "QueueArn": contacts_arn,
        "StateMachineArn": machine,
        "OtherBusArn": bus,
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
    yield SimpleNamespace(contacts=contacts, others=others, machine=machine)
    cloudformation.delete_stack(StackName="rules")


def received(relay, queue, await_until, number):
    """Return the messages of a queue as soon as there are so many."""
    sqs, found = relay.aws.client("sqs"), []

    def more():
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        found.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return len(found) >= number

    await_until(more)
    return found


def test_the_rules_of_the_docs_work(relay, await_until, targets):
    """Contacts reach a queue, won deals a state machine, everything another bus."""
    names = ("sqs_deal_stage_reached", "sqs_contact_phone_changed", "sqs_deal_won")
    changes = [change for name in names for change in bodies(name)]
    for change in changes:
        relay.aws.client("sns").publish(
            TopicArn=relay.stack.resources["ChangesTopic"],
            Message=json.dumps(change),
            MessageGroupId="main",
        )
    states = relay.aws.client("stepfunctions")
    assert received(relay, targets.contacts, await_until, 1) == [changes[1]]
    elsewhere = received(relay, targets.others, await_until, 3)
    assert sorted(event["detail"]["id"] for event in elsewhere) == sorted(
        event["id"] for event in changes
    )
    assert {event["source"] for event in elsewhere} == {"bitrix24-relay"}
    (ran,) = await_until(
        lambda: states.list_executions(stateMachineArn=targets.machine)["executions"]
    )
    given = states.describe_execution(executionArn=ran["executionArn"])["input"]
    assert json.loads(given) == changes[2]
    await_until(lambda: relay.messages("ForwardQueue") == 0)
    assert relay.aws.client("sqs").get_queue_attributes(
        QueueUrl=targets.contacts, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"] == {"ApproximateNumberOfMessages": "0"}
