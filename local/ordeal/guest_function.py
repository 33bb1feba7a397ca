"""Deploys the guest: a function, queues and a subscription beside those of the stack."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from local.aws import LocalAws
from local.stack import Stack
from ops.build import BUILD
from ops.temporary_queue import let_in

NAME = "Guest"
MODEL = "FollowUp"  # the reaction whose code and environment the guest gets
FILTER = {
    "type": ["com.bitrix24.deal.added", "com.bitrix24.deal.updated"],
    "data": {"origin": ["portal"], "changed": ["comments"]},
}
TIMEOUT_SECONDS = 60


def deploy_guest(aws: LocalAws, stack: Stack) -> None:
    """Deploy the guest, and add its resources to the stack's."""
    queue, arn = _queue(aws, f"{NAME}Queue", VisibilityTimeout="361")
    dead_letters, _ = _queue(aws, f"{NAME}DeadLetters")
    topic = stack.outputs["ChangesTopicArn"]
    aws.client("sqs").set_queue_attributes(
        QueueUrl=queue, Attributes={"Policy": let_in(topic, arn)}
    )
    functions = aws.client("lambda")
    model = functions.get_function_configuration(FunctionName=stack.resources[f"{MODEL}Function"])
    own = {
        "QUEUE_URL": queue,
        "DEAD_LETTERS_URL": dead_letters,
        "POWERTOOLS_SERVICE_NAME": NAME,
    }
    functions.create_function(
        FunctionName=f"{NAME}Function",
        Runtime=model["Runtime"],
        Role=_role(aws),
        Handler="guest.handler",
        Code={"ZipFile": _code()},
        Timeout=TIMEOUT_SECONDS,
        Environment={"Variables": model["Environment"]["Variables"] | own},
    )
    functions.create_event_source_mapping(
        EventSourceArn=arn,
        FunctionName=f"{NAME}Function",
        BatchSize=100,
        MaximumBatchingWindowInSeconds=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    attributes = {
        "RawMessageDelivery": "true",
        "FilterPolicyScope": "MessageBody",
        "FilterPolicy": json.dumps(FILTER),
    }
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    stack.resources[f"{NAME}Function"] = f"{NAME}Function"
    stack.resources[f"{NAME}Queue"] = queue
    stack.resources[f"{NAME}DeadLetters"] = dead_letters


def _queue(aws: LocalAws, name: str, **attributes: str) -> tuple[str, str]:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, asked["Attributes"]["QueueArn"]


def _role(aws: LocalAws) -> Any:
    """Return a role with all rights: other tests are about rights."""
    iam = aws.client("iam")
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    made = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=_policy(trusted))
    iam.put_role_policy(RoleName=NAME, PolicyName="all", PolicyDocument=_policy(anything))
    return made["Role"]["Arn"]


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _code() -> bytes:
    packed, artefact = io.BytesIO(), BUILD / f"{MODEL}Function"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as code:
        for file in artefact.rglob("*"):
            code.write(file, file.relative_to(artefact))
        code.write(Path(__file__).with_name("guest.py"), "guest.py")
    return packed.getvalue()
