"""`make deploy`, and `make deploy-check`: a change set that is explained and never executed.

A change set is CloudFormation's own verdict on the template: both macros have run, every type was
checked, nothing was made. What it costs is an upload to S3.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from ops.build import ROOT, SAM, ConfigEnv, sam_environment
from ops.build import command as build_command
from ops.deploy_faults import alone, cause_of, choose_region, judge_name
from ops.deployed import Stack
from ops.filter_findings import filter_findings
from ops.findings import BAD, LOOK, OK, Finding, Level
from ops.outcome import Outcome
from ops.quota import quota_findings
from ops.terminal import console, shown

# What is lost where a resource is made anew or removed, by its type or name.
LOSSES = {
    "Mirror": (
        BAD,
        "the next sweep fills a new mirror; what changed until then is not announced",
    ),
    "History": (
        LOOK,
        "the old history stays, and no command reads it; a new one begins",
    ),
    "StateTable": (
        BAD,
        "records that wait lose their checkpoints: wait until `make doctor` shows empty queues",
    ),
    "Api": (BAD, "the URL changes: put the new HookUrl into each outgoing webhook"),
    "SpillQueue": (LOOK, "the old queue stays, and nobody reads it"),
    "DeadLetters": (LOOK, "the old letters stay, and `make redrive` no longer finds them"),
    "AWS::SQS::Queue": (BAD, "the records that wait in it are deleted with it"),
    "AWS::SNS::Topic": (LOOK, "subscriptions of your own to it end"),
    "AWS::Events::EventBus": (LOOK, "rules of your own on it must be deleted before"),
    "AWS::Logs::LogGroup": (LOOK, "what is in the old one is no longer followed"),
}


def command(stack: Stack = "relay", config_env: ConfigEnv = "default") -> Outcome:
    """Build and deploy to AWS (samconfig.toml)."""
    for finding in (*judge_name(stack), *filter_findings(ROOT)):
        console.print(finding.line())
    choose_region(config_env)
    boto3.client("sts").get_caller_identity()  # before a build of two minutes
    with alone():
        if (built := build_command(config_env)).left:
            return built
        code, text = _sam(stack, config_env)
    if code:
        cause = cause_of(text, stack)
        console.print(f"[red]{shown(cause)}[/]")
        return Outcome({"stack": stack, "deployed": False, "cause": cause}, left=True)
    console.print(f"deployed; next: make connect STACK={stack}")
    return Outcome({"stack": stack, "deployed": True})


def check_command(stack: Stack = "relay", config_env: ConfigEnv = "default") -> Outcome:
    """Let CloudFormation judge the deploy and explain it; changes nothing."""
    findings = [*judge_name(stack), *filter_findings(ROOT)]
    choose_region(config_env)
    who = boto3.client("sts").get_caller_identity()
    region = boto3.session.Session().region_name
    console.print(f"account {who['Account']}, region {region}, as {who['Arn']}")
    with alone():
        if (built := build_command(config_env)).left:
            return built
        findings += _judged(stack, config_env)
    for finding in findings:
        console.print(finding.line())
    console.print("nothing was changed; `make deploy` does it")
    document = {"stack": stack, "findings": [finding.document() for finding in findings]}
    return Outcome(document, left=any(finding.level == BAD for finding in findings))


def _judged(stack: str, config_env: str) -> list[Finding]:
    """Return what CloudFormation says of the deploy of what is built."""
    cloudformation = boto3.client("cloudformation")
    before = _status(cloudformation, stack)
    console.print(f"stack {stack}: {before or 'not there yet'}")
    code, text = _sam(stack, config_env, "--no-execute-changeset", "--no-confirm-changeset")
    if code:
        return [Finding(BAD, cause_of(text, stack))]
    try:
        changes = list(_changes(cloudformation, stack))
        return [*quota_findings(boto3.client("lambda")), *change_findings(changes)]
    finally:
        _tidy(cloudformation, stack, is_new=before is None)


def _sam(stack: str, environment: str, *more: str) -> tuple[int, str]:
    """Run SAM's deploy, shown as it goes; returns its exit code and what it wrote.

    `environment` is one of samconfig.toml.
    """
    sam = [str(SAM), "deploy", "--config-env", environment, "--stack-name", stack, *more]
    written = b""
    with (
        sam_environment() as variables,
        subprocess.Popen(  # noqa: S603  our own tool
            sam, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        assert process.stdout  # noqa: S101  it is a pipe
        shown_on = sys.stderr if console.quiet else sys.stdout
        while chunk := os.read(process.stdout.fileno(), 4096):
            shown_on.buffer.write(chunk)
            shown_on.buffer.flush()
            written += chunk
    return process.returncode, written.decode(errors="replace")


def _status(cloudformation: Any, stack: str) -> str | None:
    """Return a stack's status, None where there is none."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    status = str(found["StackStatus"])
    return None if status == "REVIEW_IN_PROGRESS" else status


def _newest(cloudformation: Any, stack: str) -> str | None:
    """Return the stack's newest change set that could be executed."""
    sets = cloudformation.list_change_sets(StackName=stack)["Summaries"]
    ready = [one for one in sets if one.get("ExecutionStatus") == "AVAILABLE"]
    newest = max(ready, key=lambda one: one["CreationTime"], default=None)
    return str(newest["ChangeSetId"]) if newest else None


def _changes(cloudformation: Any, stack: str) -> Iterator[Mapping[str, Any]]:
    """Yield the changes of the stack's newest change set."""
    name = _newest(cloudformation, stack)
    if name is None:
        return
    pages = cloudformation.get_paginator("describe_change_set")
    for page in pages.paginate(ChangeSetName=name, StackName=stack):
        yield from (one["ResourceChange"] for one in page["Changes"] if "ResourceChange" in one)


def _tidy(cloudformation: Any, stack: str, *, is_new: bool) -> None:
    """Delete the change set; of a stack that was not there the empty record too."""
    name = _newest(cloudformation, stack)
    if name:
        cloudformation.delete_change_set(ChangeSetName=name, StackName=stack)
    if is_new:
        cloudformation.delete_stack(StackName=stack)


def change_findings(changes: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """Yield what a change set does: how much, and what is lost where something is made anew."""
    counted: Counter[str] = Counter()
    findings = []
    for change in changes:
        name, kind = change["LogicalResourceId"], change["ResourceType"]
        replacement = change.get("Replacement") if change["Action"] == "Modify" else "False"
        counted["Replace" if replacement == "True" else change["Action"]] += 1
        if replacement == "False" and change["Action"] != "Remove":
            continue
        what = {"True": "is made anew", "Conditional": "may be made anew"}.get(
            str(replacement), "is removed"
        )
        if loss := _loss(name, kind):
            level = LOOK if replacement == "Conditional" else loss[0]
            findings.append(Finding(level, f"{name} {what}: {loss[1]}"))
    words = {"Add": "made", "Modify": "changed", "Replace": "made anew", "Remove": "removed"}
    resources = ", ".join(f"{counted[how]} {word}" for how, word in words.items() if counted[how])
    yield Finding(
        OK, f"CloudFormation takes the template; resources: {resources or 'none changes'}"
    )
    yield from findings


def _loss(name: str, kind: str) -> tuple[Level, str] | None:
    if name.endswith("DeadLetters"):
        return LOSSES["DeadLetters"]
    return LOSSES.get(name) or LOSSES.get(kind)
