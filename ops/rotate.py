"""`make rotate`: a new application token or new webhooks, without losing an event in between.

Two steps: new ones are stored after they were tried, and older tokens stay accepted; with FINISH=1
only the newest token is. DECISIONS.md has what can come in between.
"""

import time
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

import boto3
import typer

from ops.audit import open_audit
from ops.credentials import ask_token, ask_webhook, check_hosts
from ops.dead_letters import count_of
from ops.deployed import Deployed, PortalName, Stack, client, find_stack
from ops.log_search import Span, search
from ops.outcome import Outcome
from ops.prove import Prove
from ops.prove import prove as run_proof
from ops.secrets import (
    READ_URL,
    TOKENS,
    WRITE_URL,
    change_tokens,
    own_secrets,
    store,
    stored_secrets,
    tokens_of,
    with_token,
)
from ops.terminal import console
from ops.webhook import READ_SCOPES, WRITE_SCOPES
from relay.ingress.tokens import OLDER_USED

ORDER = """\
A token, without losing an event: in Bitrix24 add a second outgoing webhook
with the same handler and one event, enter its token here, then tick all events
in it, and delete the older webhook at once.
A webhook URL: add a second incoming webhook, whose user may see as much."""
QUIET_SECONDS = 3 * 3600.0  # without an older token, before it is refused: events come late
OLD_WEBHOOKS = "Delete an older incoming webhook in 20 minutes: functions use it so long."


def command(
    portal: PortalName = "main",
    stack: Stack = "relay",
    *,
    finish: Annotated[bool, typer.Option("--finish", help="Refuse all older tokens")] = False,
    go: Annotated[bool, typer.Option("--go", help="Even those that still come")] = False,
    prove: Prove = False,
) -> Outcome:
    """Store a new token or new webhooks beside the older ones; with FINISH=1 drop older tokens."""
    deployed = find_stack(stack)
    ssm = boto3.client("ssm")
    secrets = stored_secrets(ssm, deployed.outputs["SecretsPrefix"])
    own = own_secrets(portal, secrets)
    if finish and prove:
        raise SystemExit("older tokens are accepted for 5 minutes after FINISH=1: PROVE=1 then")
    if finish:
        return Outcome(_finish(ssm, portal, deployed, tokens_of(own), go=go))
    document = _rotate(ssm, portal, deployed, secrets, prove=prove)
    if not prove:
        return Outcome(document)
    stored_at = time.monotonic() if TOKENS in document["changed"] else 0.0
    proof = run_proof(client, deployed, portal, stored_at)
    return Outcome(document | {"proof": proof.document()}, left=proof.is_left)


def _rotate(
    ssm: Any, portal: str, stack: Deployed, secrets: dict[str, dict[str, str]], *, prove: bool
) -> dict[str, Any]:
    own, prefix = secrets[portal], stack.outputs["SecretsPrefix"]
    console.print(ORDER)
    token = ask_token(portal, secrets, "New application token (Enter: none)", optional=True)
    reading = ask_webhook("New URL for reading (Enter: none)", stack, READ_SCOPES, optional=True)
    writing = ask_webhook("New URL for writing (Enter: none)", stack, WRITE_SCOPES, optional=True)
    before = own.get(READ_URL, "")
    if reading or writing:
        check_hosts(portal, reading or before, writing or own.get(WRITE_URL, ""), before)
    elif not token and not prove:
        raise SystemExit("nothing was entered, so nothing was changed")
    urls = {branch: url for branch, url in ((WRITE_URL, writing), (READ_URL, reading)) if url}
    store(ssm, prefix, portal, urls)
    tokens = tokens_of(own)
    if token:
        tokens = change_tokens(ssm, prefix, portal, lambda older: with_token(token, older))
        console.print(
            f"[green]stored[/]  the token: {len(tokens)} token(s) are accepted, within 5 s"
        )
        if len(tokens) > 1:
            console.print(
                "Events under way bear an older token, for an hour or more. Then:\n"
                f"`make rotate PORTAL={portal} FINISH=1`"
            )
    if urls:
        console.print(f"[green]stored[/]  {len(urls)} webhook(s), used within 5 minutes")
        console.print(OLD_WEBHOOKS)
    changed = [TOKENS] * bool(token) + sorted(urls)
    if changed:
        _note(stack, portal, changed)
    return _document(portal, len(tokens), changed)


def _finish(
    ssm: Any, portal: str, stack: Deployed, tokens: list[str], *, go: bool
) -> dict[str, Any]:
    older = len(tokens[1:])
    if not older:
        console.print(f"{portal} has no older token")
        return _document(portal, len(tokens), [])
    if waiting := count_of(client("sqs"), stack.resource("SpillQueue")):
        raise SystemExit(
            f"{waiting} requests wait in SpillQueue and may bear an older token; run it again when "
            "`make doctor` shows that queue no more"
        )
    if not go:
        _check_older(portal, stack)
    change_tokens(ssm, stack.outputs["SecretsPrefix"], portal, lambda stored: stored[:1])
    console.print(f"{older} older token(s) are refused after 5 minutes at the latest")
    _note(stack, portal, ["older tokens"])
    return _document(portal, 1, ["older tokens"])


def _check_older(portal: str, stack: Deployed) -> None:
    """Exit if an older token came within the last hours: its webhook's events would be refused."""
    now = time.time()
    span = Span(now - QUIET_SECONDS, now)
    lines = search(client("logs"), stack.outputs["LogGroup"], OLDER_USED, [span])
    mine = [line.at for line in lines if line.get("portal") == portal]
    if mine:
        last = f"{datetime.fromtimestamp(mine[-1], UTC):%Y-%m-%d %H:%M:%S}"
        raise SystemExit(
            f"an older token came at {last} UTC: its events would be refused. Delete the older "
            "webhook in Bitrix24, and run this again 3 hours after its last event. If the token is "
            "in wrong hands, GO=1 refuses it now"
        )


def _note(stack: Deployed, portal: str, changed: list[str]) -> None:
    """Leave who rotated what in the log; no secret is in it."""
    audit = open_audit(cache(client), stack.outputs["LogGroup"])
    audit.try_to_note("rotated", [{"portal": portal, "changed": changed}])


def _document(portal: str, tokens: int, changed: list[str]) -> dict[str, Any]:
    return {"portal": portal, "tokens": tokens, "changed": changed}
