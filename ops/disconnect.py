"""`make disconnect`: remove a portal's secrets; what is known of its items stays.

Nothing is asked: GO=1 does it. One request deletes all secrets; a command that was ended before it,
or ran before, is run again and finds what is left.
"""

from functools import cache
from typing import Annotated, Any

import boto3
import typer

from ops.audit import open_audit
from ops.credentials import check_name
from ops.dead_letters import SUFFIX, count_of
from ops.deployed import Deployed, PortalName, Stack, client, find_stack
from ops.outcome import Outcome
from ops.redrive import Dry
from ops.secrets import BRANCHES, READ_URL, ROBOTS, TOKENS, WRITE_URL, own_secrets, stored_secrets
from ops.swept import was_swept
from ops.terminal import console, numbered

# What a secret's absence means.
MEANING = {
    TOKENS: "tokens: its events are refused, within 5 minutes",
    READ_URL: "reading webhook: its items are not read any more",
    WRITE_URL: "writing webhook: no reaction can call it",
    ROBOTS: "secrets of robots: calls of its robots are refused",
}
LAST = """\
It is the last portal: events that still come are stored for 14 days, and
SpilledAlarm is raised. Delete the outgoing webhook in Bitrix24 first."""


def command(
    portal: PortalName,
    stack: Stack = "relay",
    *,
    dry: Dry = False,
    go: Annotated[bool, typer.Option("--go", help="Remove them")] = False,
) -> Outcome:
    """Remove a portal's token, webhooks and robots' secrets; with GO=1, for nothing brings back."""
    check_name(portal)
    deployed = find_stack(stack)
    ssm = boto3.client("ssm")
    secrets = stored_secrets(ssm, deployed.outputs["SecretsPrefix"])
    if portal not in secrets and was_swept(client("dynamodb"), deployed, portal):
        console.print(f"{portal} is disconnected; nothing of it is stored")
        return Outcome({"portal": portal, "removed": [], "waiting": 0})
    own = own_secrets(portal, secrets)
    branches = [branch for branch in BRANCHES if branch in own]
    removes = go and not dry
    console.print(f"{portal} {'loses' if removes else 'would lose'}")
    for branch in branches:
        console.print(f"  its {MEANING[branch]}")
    if len(secrets) == 1:
        console.print(LAST)
    waiting = _waiting(deployed)
    if waiting:
        console.print(
            f"{numbered(waiting, 'record')} wait in queues, of all portals. Those of {portal} wait "
            "a week for its webhooks, with\nBlockedAlarm, and are dead letters then."
        )
    if removes:
        names = [f"{deployed.outputs['SecretsPrefix']}/{one}/{portal}" for one in branches]
        ssm.delete_parameters(Names=names)
        audit = open_audit(cache(client), deployed.outputs["LogGroup"])
        audit.try_to_note("disconnected", [{"portal": portal, "removed": branches}])
    _conclude(portal, removes=removes)
    document = {"portal": portal, "removed": branches if removes else [], "waiting": waiting}
    return Outcome(document if removes else document | {"would_remove": branches})


def _waiting(stack: Deployed) -> int:
    """Return how many records wait in the queues of tracking and of reactions."""
    sqs: Any = client("sqs")
    return sum(
        count_of(sqs, url)
        for name, url in stack.resources.items()
        if "://" in url and name.endswith("Queue") and not name.endswith(SUFFIX)
    )


def _conclude(portal: str, *, removes: bool) -> None:
    kept = "Kept are its rows in mirror and history, and its dead letters."
    if not removes:
        console.print(kept)
        console.print("Nothing was removed; GO=1 does it.")
        return
    console.print(f"{portal} is disconnected. {kept}")
    console.print("Delete its webhooks in Bitrix24. Connected again under this name, what changed")
    console.print("meanwhile is announced; `make forget` deletes the history of an item.")
