"""local.faithful_aws: the embedded AWS refuses, repeats and hides messages like AWS."""

import io
import json
import textwrap
import time
import zipfile
from itertools import batched

import pytest
from botocore.exceptions import ClientError

from local.aws import LocalAws

FILTER_DELAY_SECONDS = 2
# Fails where poison is not the last of a batch; hands back what comes later, unless it is first.
FUNCTION = """
    import json, os, urllib.parse, urllib.request

    def handler(event, context):
        records = event["Records"]
        if "dynamodb" in records[0]:
            names = [one["dynamodb"]["NewImage"]["name"]["S"] for one in records]
        else:
            names = [one["body"] for one in records]
        told = {"Action": "SendMessage", "MessageBody": json.dumps(names)}
        body = urllib.parse.urlencode(told).encode()
        urllib.request.urlopen(os.environ["TOLD"], body).read()
        if "poison" in names[:-1]:
            raise RuntimeError("poison")
        if "later" in names[1:]:
            number = records[names.index("later")]["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": number}]}
        return {"batchItemFailures": []}
"""


@pytest.fixture(scope="module")
def aws():
    """Return a running AWS."""
    with LocalAws(filter_delay_seconds=FILTER_DELAY_SECONDS) as started:
        yield started


@pytest.fixture
def sqs(aws):
    """Return its queues."""
    return aws.client("sqs")


@pytest.fixture
def queue(sqs, request):
    """Return the URL of a queue of the test's own."""
    return sqs.create_queue(QueueName=request.node.originalname)["QueueUrl"]


def taken(sqs, url, **how):
    """Receive once; delete and return the bodies."""
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **how).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in found]


def arn(sqs, url):
    """Return a queue's ARN."""
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return asked["Attributes"]["QueueArn"]


@pytest.fixture
def batches(aws, sqs, request):
    """Return the function that maps a source to a function and returns its batches."""
    name = f"{request.node.originalname}-told"
    delivered = sqs.create_queue(QueueName=name)["QueueUrl"]
    code, functions = io.BytesIO(), aws.client("lambda")
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("app.py", textwrap.dedent(FUNCTION))
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"TOLD": delivered}},
    )

    def mapped(source, number, **how):
        functions.create_event_source_mapping(
            EventSourceArn=source,
            FunctionName=name,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            **how,
        )
        found = []
        while len(found) < number:
            bodies = taken(sqs, delivered, WaitTimeSeconds=20)
            assert bodies, found
            found += map(json.loads, bodies)
        return found

    return mapped


def test_a_stream_goes_on_from_the_record_that_was_handed_back(aws, batches):
    """A failed batch is bisected; records before the reported one are not repeated."""
    dynamodb = aws.client("dynamodb")
    table = dynamodb.create_table(
        TableName="Mirror",
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]
    for name in ("poison", "good", "later", "last"):
        dynamodb.put_item(TableName="Mirror", Item={"name": {"S": name}})
    found = batches(
        table["LatestStreamArn"],
        4,
        StartingPosition="TRIM_HORIZON",
        BatchSize=3,
        BisectBatchOnFunctionError=True,
    )
    assert found == [
        ["poison", "good", "later"],
        ["poison"],
        ["good", "later", "last"],
        ["later", "last"],
    ]


def test_a_queue_is_handed_over_as_its_mapping_says(sqs, queue, batches):
    """A batch of more than ten messages is gathered during the batching window."""
    names = [str(number) for number in range(25)]
    for name in names[:5]:
        sqs.send_message(QueueUrl=queue, MessageBody=name)
    for at in (5, 15):
        entries = [{"Id": name, "MessageBody": name} for name in names[at : at + 10]]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    how = {"BatchSize": 20, "MaximumBatchingWindowInSeconds": 1}
    first, second = batches(arn(sqs, queue), 2, **how)
    assert sorted(first + second, key=int) == names
    assert sorted(map(len, (first, second))) == [5, 20]  # two copies may report in any order


def test_a_short_poll_proves_nothing(sqs, queue):
    """A short poll may miss messages, a long poll returns them."""
    sqs.send_message(QueueUrl=queue, MessageBody="a")

    def polls(**how):
        asked = {"QueueUrl": queue, "VisibilityTimeout": 0, **how}
        return [sqs.receive_message(**asked).get("Messages") for _ in range(40)]

    assert None in polls()
    assert any(polls())
    assert None not in polls(WaitTimeSeconds=1)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"ReceiveMessageWaitTimeSeconds": "1"})
    assert None not in polls()
    assert None in polls(WaitTimeSeconds=0)


def test_a_message_is_hidden_for_twelve_hours_from_its_receive(sqs, queue):
    """The 12 hours count from the receive; a message that is not in flight can't be hidden."""
    for body in "ab":
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    one, other = [message["ReceiptHandle"] for message in found["Messages"]]

    def hide(receipt, seconds):
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=seconds
        )

    hide(one, 43_000)
    with pytest.raises(ClientError, match="beyond the limit") as refused:
        hide(one, 43_200)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
    entries = [
        {"Id": str(seconds), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
        for receipt, seconds in ((one, 43_200), (other, 0))
    ]
    done = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=entries)
    assert [entry["Id"] for entry in done["Successful"]] == ["0"]
    assert [entry["Code"] for entry in done["Failed"]] == ["InvalidParameterValue"]
    with pytest.raises(ClientError, match="in flight"):
        hide(other, 1)


def test_a_changed_filter_is_in_force_after_a_while(aws, sqs, queue):
    """A changed filter is in force after a delay, a new subscription's filter at once."""
    sns = aws.client("sns")
    topic = sns.create_topic(Name="topic")["TopicArn"]

    def only(name):
        return {"FilterPolicy": json.dumps({"name": [name]}), "FilterPolicyScope": "MessageBody"}

    subscription = sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn(sqs, queue),
        Attributes={"RawMessageDelivery": "true", **only("a")},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]

    def delivered():
        for name in "ab":
            sns.publish(TopicArn=topic, Message=json.dumps({"name": name}))
        return [json.loads(body)["name"] for body in taken(sqs, queue, WaitTimeSeconds=1)]

    assert delivered() == ["a"]
    for name, value in only("b").items():
        sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
        )
    assert delivered() == ["a"]
    time.sleep(FILTER_DELAY_SECONDS)
    assert delivered() == ["b"]


def test_a_search_of_logs_has_pages(aws):
    """More than 10,000 events are all found, once each, though many have one time."""
    logs, names = aws.client("logs"), {"logGroupName": "many", "logStreamName": "one"}
    logs.create_log_group(logGroupName="many")
    logs.create_log_stream(**names)
    now = int(time.time() * 1000)
    wanted = [str(number) for number in range(10_050)]
    for part in batched(wanted, 5_025, strict=True):
        events = [{"timestamp": now + int(text) // 1000, "message": text} for text in part]
        logs.put_log_events(**names, logEvents=events)
    pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName="many"))
    assert len(pages) == 2
    assert [event["message"] for page in pages for event in page["events"]] == wanted


SLEEPY = """
    import os, time, urllib.parse, urllib.request

    def handler(event, context):
        for half in ("begins", "ends"):
            told = {"Action": "SendMessage", "MessageBody": f"{VERSION} {half}"}
            urllib.request.urlopen(os.environ["TOLD"], urllib.parse.urlencode(told).encode()).read()
            time.sleep(event["seconds"])
"""


def test_an_invocation_ends_with_the_code_that_it_began_with(aws, sqs, queue):
    """New code does not end what runs; the next invocation runs it."""

    def code(version):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("app.py", f"VERSION = {version!r}\n{textwrap.dedent(SLEEPY)}")
        return packed.getvalue()

    functions = aws.client("lambda")
    functions.create_function(
        FunctionName="sleepy",
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="app.handler",
        Code={"ZipFile": code("former")},
        Environment={"Variables": {"TOLD": queue}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="sleepy")

    def invoke(seconds):
        payload = json.dumps({"seconds": seconds})
        functions.invoke(FunctionName="sleepy", InvocationType="Event", Payload=payload)

    def delivered():
        return taken(sqs, queue, WaitTimeSeconds=20)

    invoke(2)
    assert delivered() == ["former begins"]
    functions.update_function_code(FunctionName="sleepy", ZipFile=code("new"))
    functions.get_waiter("function_updated_v2").wait(FunctionName="sleepy")
    assert delivered() == ["former ends"]
    invoke(0)
    assert delivered()[0] == "new begins"
