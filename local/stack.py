"""The bundle on the embedded AWS: built and deployed by SAM, then completed.

ministack does not read the routes in an HttpApi's body: they are made here through the public API,
so that the template stays as AWS wants it.
"""

import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local.aws import LocalAws, credentials
from ops.build import ROOT, SAM, build, sam_environment
from ops.deployed import read_stack

STACK = "relay"
TEMPLATE_KEY = "saved.template"
UPDATE_SECONDS = 60
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Stack:
    """A deployed stack: outputs, physical ids by logical id, and the URL for a portal's events."""

    outputs: dict[str, str]
    resources: dict[str, str]
    hook_url: str


_VERBS = {"x-amazon-apigateway-any-method": "ANY"}
# Functions run on this machine's processor and call a portal without TLS.
PARAMETERS = {
    "Architecture": "x86_64",
    "AllowHttp": "true",
    "LogRetentionDays": "1",
    "GraceSeconds": "0",
    "ArchiveDays": "0",  # ministack has no archives
    "Dashboard": "false",  # and no saved queries
}


def deploy(aws: LocalAws, **parameters: str) -> Stack:
    """Build and deploy the template; raises CalledProcessError with SAM's output."""
    overrides = [f"{name}={value}" for name, value in (PARAMETERS | parameters).items()]
    build("local", quiet=True)
    with sam_environment() as everything:
        environment = {
            name: value for name, value in everything.items() if not name.startswith("AWS_")
        }
        subprocess.run(  # noqa: S603  our own tool
            [SAM, "deploy", "--config-env", "local", "--parameter-overrides", *overrides],
            cwd=ROOT,
            env={**environment, **credentials(aws.endpoint)},
            check=True,
            capture_output=True,
            text=True,
        )
    return complete(aws)


def update(aws: LocalAws, template: str, bucket: str, **parameters: str) -> None:
    """Update the stack to a packaged template, which is put into the bucket of its code.

    Raises ClientError where the template is refused, RuntimeError where the update fails.
    """
    aws.client("s3").put_object(Bucket=bucket, Key=TEMPLATE_KEY, Body=template.encode())
    cloudformation = aws.client("cloudformation")
    try:
        cloudformation.update_stack(
            StackName=STACK,
            TemplateURL=f"{aws.endpoint}/{bucket}/{TEMPLATE_KEY}",
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in (PARAMETERS | parameters).items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise
    until = time.monotonic() + UPDATE_SECONDS
    while True:
        (described,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        status = str(described["StackStatus"])
        if not status.endswith("IN_PROGRESS"):
            break
        if time.monotonic() > until:
            raise RuntimeError(f"the update takes more than {UPDATE_SECONDS} s")
        time.sleep(POLL_SECONDS)
    if status != "UPDATE_COMPLETE":
        raise RuntimeError(_failure(cloudformation) or status)


def _failure(cloudformation: Any) -> str:
    """Return the reason of the newest failure of a resource."""
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    for event in events:
        if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason"):
            return f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
    return ""


def complete(aws: LocalAws) -> Stack:
    """Make what ministack leaves out of a deployed or updated stack; return the stack."""
    cloudformation = aws.client("cloudformation")
    deployed = read_stack(cloudformation, STACK)
    template = cloudformation.get_template(StackName=STACK, TemplateStage="Processed")
    _make_routes(aws, template["TemplateBody"], deployed.resources)
    if aws.enforces_iam:
        _widen_rights(aws, deployed.resources)
    hook_url = f"{aws.endpoint}/_aws/execute-api/{deployed.resources['Api']}/bitrix24"
    return Stack(deployed.outputs, deployed.resources, hook_url)


def _make_routes(aws: LocalAws, template: Any, resources: dict[str, str]) -> None:
    gateway, functions = aws.client("apigatewayv2"), aws.client("lambda")
    api_id = resources["Api"]
    existing = {route["RouteKey"] for route in gateway.get_routes(ApiId=api_id)["Items"]}
    paths = template["Resources"]["Api"]["Properties"]["Body"]["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            key = f"{_VERBS.get(method, method.upper())} {path}"
            if key in existing:
                continue
            uri = str(operation["x-amazon-apigateway-integration"]["uri"])
            function = next(name for name in resources if name.endswith("Function") and name in uri)
            described = functions.get_function(FunctionName=resources[function])
            integration = gateway.create_integration(
                ApiId=api_id,
                IntegrationType="AWS_PROXY",
                IntegrationMethod="POST",
                PayloadFormatVersion="2.0",
                IntegrationUri=described["Configuration"]["FunctionArn"],
            )
            target = f"integrations/{integration['IntegrationId']}"
            gateway.create_route(ApiId=api_id, RouteKey=key, Target=target)


def _widen_rights(aws: LocalAws, resources: dict[str, str]) -> None:
    """Give every function the rights that ministack asks for and AWS does not.

    ministack checks reads of parameters by path against `*` only, and needs a right of its own for
    each batch action; AWS includes that in the right to the single action.
    """
    actions = [
        "ssm:GetParametersByPath",
        "sns:PublishBatch",
        "sqs:ChangeMessageVisibilityBatch",
        "sqs:DeleteMessageBatch",
        "sqs:SendMessageBatch",
    ]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for name, role in resources.items():
        if name.endswith("FunctionRole"):
            aws.client("iam").put_role_policy(
                RoleName=role, PolicyName="parameters", PolicyDocument=policy
            )


def store_secrets(aws: LocalAws, secrets: dict[str, str]) -> None:
    """Put secrets into the embedded Parameter Store, by their names below the stack's prefix."""
    ssm = aws.client("ssm")
    for name, value in secrets.items():
        ssm.put_parameter(
            Name=f"/relay/{STACK}/{name}", Value=value, Type="SecureString", Overwrite=True
        )
