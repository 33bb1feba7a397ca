"""`make connect`: ask for a portal's token and webhooks, try them, store them.

Without a terminal they are read from standard input, a line each: the application token, the
webhook URL for reading, the one for writing (empty: the same).
"""

import contextlib
import sys
import time
from typing import Annotated, Any

import boto3
import typer
from botocore.config import Config

from ops.baseline import fill
from ops.credentials import ask_token, ask_webhook, check_hosts, check_name
from ops.deployed import Deployed, PortalName, Stack, client, find_stack
from ops.outcome import Outcome
from ops.prove import Prove
from ops.prove import prove as run_proof
from ops.secrets import READ_URL, WRITE_URL, change_tokens, store, stored_secrets, with_token
from ops.subscribed import subscribed_events
from ops.swept import was_swept
from ops.terminal import console, shown
from ops.webhook import READ_SCOPES, WRITE_SCOPES
from relay.tracking.parts import NONE

PATIENCE_SECONDS = 3600.0


def _client(service: str) -> Any:
    """Return a client that asks once, and waits as long as a person waits for progress."""
    return boto3.client(service, config=Config(read_timeout=30, retries={"total_max_attempts": 1}))


def command(
    portal: PortalName = "main",
    stack: Stack = "relay",
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Refuse all older tokens")] = False,
    prove: Prove = False,
) -> Outcome:
    """Connect a portal to the relay; asks for its application token and webhook URLs."""
    check_name(portal)
    return _connect(portal, find_stack(stack), replace=replace, wants_proof=prove)


def _connect(portal: str, stack: Deployed, *, replace: bool, wants_proof: bool) -> Outcome:
    prefix, ssm = stack.outputs["SecretsPrefix"], boto3.client("ssm")
    secrets = stored_secrets(ssm, prefix)
    console.print("In Bitrix24: Applications > Developer resources > Ready-made scenarios > Other")
    console.print("(Приложения > Разработчикам > Готовые сценарии > Другое)")
    console.print("\n1. Outgoing webhook (Исходящий вебхук). Handler URL:")
    console.print(f"     {stack.outputs['HookUrl']}")
    console.print("   Events to tick:")
    for event in subscribed_events(stack.parameters.get("Parts", NONE)):
        console.print(f"     {event}")
    console.print("   and any other events that the journal should have. Save, and copy the token.")
    token = ask_token(portal, secrets)
    console.print("2. Incoming webhook (Входящий вебхук) with rights crm, im, task. Copy its URL.")
    reading = ask_webhook("   Webhook URL for reading", stack, READ_SCOPES)
    writing = ask_webhook("   … for writing (Enter: the same)", stack, WRITE_SCOPES, reading)
    before = secrets.get(portal, {}).get(READ_URL, "")
    has_mirror = was_swept(boto3.client("dynamodb"), stack, portal)
    check_hosts(portal, reading, writing, before, has_mirror=has_mirror)
    # The token last: what an event starts needs the webhooks.
    store(ssm, prefix, portal, {WRITE_URL: writing, READ_URL: reading})
    accepted = change_tokens(
        ssm, prefix, portal, lambda older: [token] if replace else with_token(token, older)
    )
    stored_at = time.monotonic()
    console.print(
        f"\n[green]connected[/]  {portal}; {len(accepted)} token(s) accepted, within 5 s."
    )
    if replace:
        console.print("Older tokens are refused after 5 minutes at the latest.")
    console.print("The mirror is being filled; changes from now on are announced (Ctrl-C: later)")
    filled = False
    with contextlib.suppress(KeyboardInterrupt):
        patience = PATIENCE_SECONDS if sys.stdin.isatty() else 0.0
        filled = fill(_client, stack.resources, portal, _show, patience)
    document = {"portal": portal, "tokens": len(accepted), "mirror_filled": filled}
    if not wants_proof:
        console.print("Change something in the portal: its event is in the journal within seconds.")
        return Outcome(document)
    proof = run_proof(client, stack, portal, stored_at)
    return Outcome(document | {"proof": proof.document()}, left=proof.is_left)


def _show(line: str) -> None:
    console.print(shown(line))
