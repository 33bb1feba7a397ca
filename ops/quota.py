"""How many copies of functions an account may run, and how many the stack's own backlog takes."""

from collections.abc import Iterator
from typing import Any

from ops.deployed import Deployed
from ops.findings import BAD, OK, Finding

FIXED = 2 + 2 + 1 + 4  # republish, track, sweep, announce
FORWARD = 5
ROOM = 10  # copies that ingress should find free
DEFAULT_REACTIONS, DEFAULT_CONCURRENCY = 4, 3


def backlog_of(stack: Deployed | None) -> int:
    """Return how many copies of everything but ingress can run at once; of the default stack."""
    if stack is None:
        return FIXED + DEFAULT_REACTIONS * DEFAULT_CONCURRENCY
    queues = [name for name in stack.resources if name.endswith("FunctionQueue")]
    forwards = "ForwardFunctionQueue" in queues
    reactions = len(queues) - 1 - forwards  # track has one too
    copies = int(stack.parameters.get("ReactionConcurrency", DEFAULT_CONCURRENCY))
    return FIXED + reactions * copies + FORWARD * forwards


def quota_findings(client: Any, stack: Deployed | None = None) -> Iterator[Finding]:
    """Yield whether the account leaves room for ingress; `client` is boto3's of Lambda."""
    limit = client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    backlog = backlog_of(stack)
    reserved = int(stack.parameters.get("IngressReserved", "0")) if stack else 0
    text = (
        f"the account may run {limit} copies of functions at once; a backlog here takes {backlog}"
    )
    if reserved or limit - backlog >= ROOM:
        yield Finding(OK, text + (f", {reserved} are ingress's own" if reserved else ""))
    else:
        yield Finding(
            BAD,
            f"{text}: what ingress then can't run is lost. "
            "Raise the quota (Service Quotas, Lambda, Concurrent executions)",
        )
