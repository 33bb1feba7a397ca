"""`make connect`: ask for a portal's token and webhooks, try them, store them.

Typed answers are hidden. Without a terminal they are read from standard input, a line each: the
application token, the webhook URL for reading, the one for writing (empty: the same).
"""

import contextlib
import re
import sys
from getpass import getpass
from typing import Annotated, Any

import boto3
import typer
from botocore.config import Config

from ops.baseline import fill
from ops.deployed import Deployed, PortalName, Stack, find_stack
from ops.outcome import Outcome
from ops.secrets import (
    READ_URL,
    TOKENS,
    WRITE_URL,
    owner_of,
    store,
    stored_secrets,
    tokens_of,
    with_token,
)
from ops.subscribed import subscribed_events
from ops.terminal import console, shown
from ops.webhook import NO_ADMIN, READ_SCOPES, WRITE_SCOPES, try_webhook
from relay.errors import CallError, ConfigurationError
from relay.portal import Webhook

PORTAL_NAME = r"[a-z0-9-]{1,40}"
PATIENCE_SECONDS = 3600.0


def ask(question: str) -> str:
    """Return a typed answer, unseen, or the next line of standard input."""
    if sys.stdin.isatty():
        return getpass(f"{question}: ").strip()
    return sys.stdin.readline().strip()


def ask_token(portal: str, secrets: dict[str, dict[str, str]]) -> str:
    """Return an application token; exits where it can't be this portal's."""
    token = ask("   Application token (Токен приложения)")
    if not token:
        raise SystemExit("an empty token would let anybody in; nothing was stored")
    if "/" in token or len(token.split()) > 1:
        raise SystemExit("that is an address, not an application token; nothing was stored")
    owner = owner_of(token, secrets)
    if owner not in {None, portal}:
        raise SystemExit(f"that token is portal {owner}'s; nothing was stored")
    return token


def ask_webhook(question: str, stack: Deployed, scopes: tuple[str, ...], default: str = "") -> str:
    """Return a webhook URL that works; asks again at a terminal where it does not."""
    while True:
        url = ask(question) or default
        try:
            tried = try_webhook(url, scopes, allow_http=stack.allow_http)
        except (ConfigurationError, CallError) as error:
            console.print(f"[red]{shown(str(error))}[/]")
            if not sys.stdin.isatty():
                raise SystemExit(1) from None
        else:
            console.print(f"[green]works[/]  {shown(f'{tried.host} as {tried.user}')}")
            if tried.missing:
                missing = ", ".join(tried.missing)
                console.print(f"[yellow]lacks[/]  the scope {missing}: tick it in the webhook")
            if scopes == WRITE_SCOPES and not tried.admin:
                console.print(f"[yellow]but[/]    {NO_ADMIN}")
            return url


def check_hosts(portal: str, reading: str, writing: str, stored: str) -> None:
    """Exit where the webhooks are not of one portal, or not of the portal that was connected."""
    host, other, before = _host(reading), _host(writing), _host(stored)
    if host != other:
        raise SystemExit(f"reading is from {host}, writing to {other}; nothing was stored")
    if before and before != host:
        question = f"{portal} is {before} so far. Is {host} the same portal, renamed? (yes)"
        if ask(question) != "yes":
            raise SystemExit(
                f"{portal} stays {before}; connect another portal under a name of its own: "
                "make connect PORTAL=<name>"
            )


def _host(url: str) -> str:
    """Return a webhook's host; empty where the URL is no webhook's."""
    try:
        return Webhook.parse(url, allow_http=True).host
    except ConfigurationError:
        return ""


def _client(service: str) -> Any:
    """Return a client that waits as long as a sweep may take, and asks once."""
    return boto3.client(service, config=Config(read_timeout=900, retries={"total_max_attempts": 1}))


def command(
    portal: PortalName = "main",
    stack: Stack = "relay",
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Refuse all older tokens")] = False,
) -> Outcome:
    """Connect a portal to the relay; asks for its application token and webhook URLs."""
    if not re.fullmatch(PORTAL_NAME, portal):
        raise SystemExit(f"a portal's name is {PORTAL_NAME}, not {portal}")
    return _connect(portal, find_stack(stack), replace=replace)


def _connect(portal: str, stack: Deployed, *, replace: bool) -> Outcome:
    prefix, ssm = stack.outputs["SecretsPrefix"], boto3.client("ssm")
    secrets = stored_secrets(ssm, prefix)
    own = secrets.get(portal, {})
    console.print("In Bitrix24: Applications > Developer resources > Ready-made scenarios > Other")
    console.print("(Приложения > Разработчикам > Готовые сценарии > Другое)")
    console.print("\n1. Outgoing webhook (Исходящий вебхук). Handler URL:")
    console.print(f"     {stack.outputs['HookUrl']}")
    console.print("   Events to tick:")
    for event in subscribed_events():
        console.print(f"     {event}")
    console.print("   and any other events that the journal should have. Save, and copy the token.")
    token = ask_token(portal, secrets)
    console.print("2. Incoming webhook (Входящий вебхук) with rights crm, im, task. Copy its URL.")
    reading = ask_webhook("   Webhook URL for reading", stack, READ_SCOPES)
    writing = ask_webhook("   … for writing (Enter: the same)", stack, WRITE_SCOPES, reading)
    check_hosts(portal, reading, writing, own.get(READ_URL, ""))
    tokens = token if replace else with_token(token, tokens_of(own))
    store(ssm, prefix, portal, {TOKENS: tokens, READ_URL: reading, WRITE_URL: writing})
    accepted = len(tokens.splitlines())
    console.print(f"\n[green]connected[/]  {portal}; {accepted} token(s) accepted, within 5 s.")
    if replace:
        console.print("Older tokens are refused after 5 minutes at the latest.")
    console.print("The mirror is being filled; changes from now on are announced (Ctrl-C: later)")
    filled = False
    with contextlib.suppress(KeyboardInterrupt):
        patience = PATIENCE_SECONDS if sys.stdin.isatty() else 0.0
        filled = fill(_client, stack.resources, portal, _show, patience)
    console.print("Change something in the portal: its event is in the journal within seconds.")
    return Outcome({"portal": portal, "tokens": accepted, "mirror_filled": filled})


def _show(line: str) -> None:
    console.print(shown(line))
