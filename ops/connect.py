"""`make connect`: ask for a portal's token and webhooks, try them, store them, say what is next.

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
from botocore.exceptions import ClientError
from rich.console import Console

from ops.baseline import fill
from ops.deployed import Deployed, find_stack
from ops.subscribed import subscribed_events
from ops.webhook import NO_ADMIN, READING, WRITING, try_webhook
from relay.errors import CallError, ConfigurationError

console = Console(highlight=False, soft_wrap=True)

PORTAL_NAME = r"[a-z0-9-]{1,40}"
PATIENCE_SECONDS = 3600.0


def ask(what: str) -> str:
    """Return what a person types, unseen, or the next line of standard input."""
    if sys.stdin.isatty():
        return getpass(f"{what}: ").strip()
    return sys.stdin.readline().strip()


def ask_webhook(what: str, stack: Deployed, scopes: tuple[str, ...], known: str = "") -> str:
    """Return a webhook URL that works; asks again at a terminal where it does not."""
    while True:
        url = ask(what) or known
        try:
            tried = try_webhook(url, scopes, allow_http=stack.allow_http)
        except (ConfigurationError, CallError) as error:
            console.print(f"[red]{error}[/]")
            if not sys.stdin.isatty():
                raise SystemExit(1) from None
        else:
            console.print(f"[green]works[/]  {tried.host} as {tried.user}")
            if tried.missing:
                lacking = ", ".join(tried.missing)
                console.print(
                    f"[yellow]without[/] the scope {lacking}: tick it in the webhook's settings"
                )
            if scopes == WRITING and not tried.admin:
                console.print(f"[yellow]but[/]  {NO_ADMIN}")
            return url


def _client(service: str) -> Any:
    """Return a client that waits as long as a sweep may take, and asks once."""
    return boto3.client(service, config=Config(read_timeout=900, retries={"total_max_attempts": 1}))


def tokens_with(ssm: Any, name: str, token: str) -> str:
    """Return the token and those stored before it: a rotation must not lose what is under way."""
    try:
        stored = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        stored = ""
    lines = [token, *(line.strip() for line in stored.splitlines())]
    return "\n".join(dict.fromkeys(line for line in lines if line))


def main(
    portal: Annotated[
        str, typer.Option(help="Your short name of the portal", metavar="NAME")
    ] = "main",
    stack: Annotated[str, typer.Option(help="The deployed stack", metavar="NAME")] = "relay",
    *,
    replace: Annotated[bool, typer.Option(help="Accept no older token any more")] = False,
) -> None:
    """Join a portal to the relay; asks for its application token and webhook URLs."""
    if not re.fullmatch(PORTAL_NAME, portal):
        raise SystemExit(f"a portal's name is {PORTAL_NAME}, not {portal}")
    found = find_stack(stack)
    prefix = found.outputs["SecretsPrefix"]
    console.print("In Bitrix24: Applications > Developer resources > Ready-made scenarios > Other")
    console.print("(Приложения > Разработчикам > Готовые сценарии > Другое)")
    console.print("\n1. Outgoing webhook (Исходящий вебхук). Handler URL:")
    console.print(f"     {found.outputs['HookUrl']}")
    console.print("   Events to tick:")
    for event in subscribed_events():
        console.print(f"     {event}")
    console.print("   and whatever else you want in the journal. Save, and copy the token.")
    token = ask("   Application token (Токен приложения)")
    if not token:
        raise SystemExit("an empty token would let anybody in; nothing was stored")
    console.print("2. Incoming webhook (Входящий вебхук) with rights crm, im, task. Copy its URL.")
    reading = ask_webhook("   Webhook URL for reading", found, READING)
    writing = ask_webhook("   … for writing (Enter: the same)", found, WRITING, reading)
    ssm = boto3.client("ssm")
    tokens = f"{prefix}/application-tokens/{portal}"
    secrets = {
        tokens: token if replace else tokens_with(ssm, tokens, token),
        f"{prefix}/webhook-urls/read/{portal}": reading,
        f"{prefix}/webhook-urls/write/{portal}": writing,
    }
    for name, value in secrets.items():
        ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    accepted = len(secrets[tokens].splitlines())
    console.print(f"\n[green]connected[/]  {portal}; {accepted} token(s) accepted, within 5 s.")
    if replace:
        console.print("Older tokens are refused after 5 minutes at the latest.")
    console.print(
        "The mirror is being filled; what changes from now on is announced (Ctrl-C: later)"
    )
    with contextlib.suppress(KeyboardInterrupt):
        patience = PATIENCE_SECONDS if sys.stdin.isatty() else 0.0
        fill(_client, found.resources(), portal, console.print, patience)
    console.print("Change something in the portal: its event is in the journal within seconds.")


if __name__ == "__main__":
    typer.run(main)
