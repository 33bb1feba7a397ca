"""What keeps a deploy from beginning or from its end, with its cause and the next command."""

import fcntl
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager

import boto3

from ops.build import ROOT
from ops.findings import LOOK, Finding

LOCK = ROOT / ".aws-sam" / ".deploying"
NAME = re.compile("[A-Za-z][A-Za-z0-9-]{0,127}")
# Lambda's names have 64 characters; the longest of ours takes the rest.
WHOLE_NAMES = 28
NO_REGION = "no region is set: `export AWS_REGION=eu-central-1`"
BAD_NAME = (
    "a stack's name begins with a letter and has at most 128 letters, digits and hyphens: "
    "`make deploy STACK=relay`"
)
AGAIN = "`make deploy STACK={stack}`"
# What an error of a deploy means, and the next command. The first that fits is shown; `{0}` is what
# the pattern's first group has found.
CAUSES = {
    r"not authorized to perform: ([\w:*]+ (?:on|with) .{1,200}?)(?: because|\"|\)|$)": (
        "whoever deploys lacks the right {0}; have it added to their policy, then " + AGAIN
    ),
    r"not authorized to perform: ([\w:*]+)": (
        "whoever deploys lacks the right {0}; have it added to their policy, then " + AGAIN
    ),
    r"[Ee]xpired": "the credentials have expired: sign in again (`aws sso login`), then " + AGAIN,
    r"[Uu]nable to locate credentials": "there are no credentials: `aws configure`, or AWS_PROFILE",
    r"specify a region|NoRegion": NO_REGION,
    r"Type of property '(\w+)' is invalid": (
        "SAM does not take {0} as the template has it: mend template.yaml, `make check`"
    ),
    r"UnreservedConcurrentExecution": (
        "IngressReserved leaves the account less than 100 copies: lower it in samconfig.toml, or "
        "raise the quota (Service Quotas, Lambda, Concurrent executions), then " + AGAIN
    ),
    r"UPDATE_ROLLBACK_FAILED state": (
        "a deploy failed, and so did its rollback; the console's events say at what. Mend that, "
        "then `aws cloudformation continue-update-rollback --stack-name {stack}`, and " + AGAIN
    ),
    r"ROLLBACK_(?:COMPLETE|FAILED) state": (
        "an earlier first deploy failed; delete what is left of it: "
        "`.venv-sam/bin/sam delete --stack-name {stack}`, then " + AGAIN
    ),
    r"DELETE_FAILED state": (
        "the stack is half deleted; the console's events say what could not go. Then "
        "`.venv-sam/bin/sam delete --stack-name {stack}`, and " + AGAIN
    ),
    r"_IN_PROGRESS state|OperationInProgress|AlreadyBeingModified": (
        "another deploy of this stack is under way: wait for its end, then " + AGAIN
    ),
    r"stackName|StackName": BAD_NAME,
    r"deletion protection|DeletionProtection": (
        "the mirror is protected: DeletionProtection=false in samconfig.toml, " + AGAIN + " first"
    ),
    r"LimitExceeded|limit exceeded|[Mm]aximum number|Policy document length|TooManyAlarms": (
        "the account is at a limit; the line above names it, Service Quotas raises it, then "
        + AGAIN
    ),
    r"already exists": (
        "something of that name is there already; the line above names it. Delete it, or choose "
        "another name: `make deploy STACK=...`"
    ),
}
_ERROR = re.compile("error|failed|invalid|state|expired|unable|must", re.IGNORECASE)
# Rows of a change set, and events that are no failure: they name resources, some of them *Errors*.
_ROW = re.compile(r"\s*(?:[+*-] |[A-Z_]+_(?:IN_PROGRESS|COMPLETE)\b)")


def cause_of(text: str, stack: str) -> str:
    """Return what an error of SAM or CloudFormation means, and what to do."""
    lines = [line for line in text.splitlines() if line.strip() and not _ROW.match(line)]
    lines = lines or ["there was no output"]
    begin = next((at for at, line in enumerate(lines) if _ERROR.search(line)), len(lines) - 1)
    message = " ".join(" ".join(lines[begin:]).split())  # SAM breaks an event's text into a column
    for pattern, meaning in CAUSES.items():
        if found := re.search(pattern, message):
            return meaning.format(*found.groups(), stack=stack)
    return f"the deploy failed: {lines[begin]}"


def choose_region(environment: str) -> None:
    """Take the region of samconfig.toml where none is set; exits where there is none either."""
    if boto3.session.Session().region_name:
        return
    config = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8")).get(environment, {})
    for part in ("deploy", "global"):
        if region := config.get(part, {}).get("parameters", {}).get("region"):
            os.environ["AWS_DEFAULT_REGION"] = region
            return
    raise SystemExit(NO_REGION)


def judge_name(stack: str) -> Iterator[Finding]:
    """Yield what a long name costs; exits where AWS takes it for no stack's name."""
    if not NAME.fullmatch(stack):
        raise SystemExit(BAD_NAME)
    if len(stack) > WHOLE_NAMES:
        yield Finding(
            LOOK,
            f"the stack's name has {len(stack)} characters: beyond {WHOLE_NAMES} AWS cuts names of "
            "functions and queues, so some graphs of the dashboard and OperatorPolicy miss them",
        )


@contextmanager
def alone() -> Iterator[None]:
    """Keep other deploys of this folder away; exits where one is under way."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(
                "another `make deploy` or `make deploy-check` of this folder is under way; they "
                "would build over each other: wait for its end, then run it again"
            ) from None
        yield
