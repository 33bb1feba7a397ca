"""A portal's token and webhooks as an operator gives them: asked for, tried, never shown.

Typed answers are hidden. Without a terminal they are read from standard input, a line each.
"""

import re
import sys
from getpass import getpass

from ops.deployed import Deployed
from ops.secrets import owner_of
from ops.terminal import console, shown
from ops.webhook import NO_ADMIN, WRITE_SCOPES, try_webhook
from relay.errors import CallError, ConfigurationError
from relay.portal import Webhook

PORTAL_NAME = r"[a-z0-9-]{1,40}"


def check_name(portal: str) -> None:
    """Exit where a portal can't have this name."""
    if not re.fullmatch(PORTAL_NAME, portal):
        raise SystemExit(f"a portal's name is {PORTAL_NAME}, not {portal!r}")


def ask(question: str) -> str:
    """Return a typed answer, unseen, or the next line of standard input."""
    if sys.stdin.isatty():
        return getpass(f"{question}: ").strip()
    return sys.stdin.readline().strip()


def ask_token(
    portal: str,
    secrets: dict[str, dict[str, str]],
    question: str = "   Application token (Токен приложения)",
    *,
    optional: bool = False,
) -> str:
    """Return an application token; exits where it can't be this portal's.

    An empty answer is returned only where the token is optional.
    """
    token = ask(question)
    if not token and optional:
        return ""
    if not token:
        raise SystemExit("an empty token would let anybody in; nothing was stored")
    if "/" in token or len(token.split()) > 1:
        raise SystemExit("that is an address, not an application token; nothing was stored")
    owner = owner_of(token, secrets)
    if owner not in {None, portal}:
        raise SystemExit(f"that token is portal {owner}'s; nothing was stored")
    return token


def ask_webhook(
    question: str,
    stack: Deployed,
    scopes: tuple[str, ...],
    default: str = "",
    *,
    optional: bool = False,
) -> str:
    """Return a webhook URL that works; asks again at a terminal where it does not.

    `default` is tried in place of an empty answer, which is returned where the URL is optional.
    """
    while True:
        url = ask(question) or default
        if not url and optional:
            return ""
        try:
            tried = try_webhook(url, scopes, allow_http=stack.allow_http)
        except (ConfigurationError, CallError) as error:
            if not sys.stdin.isatty():
                raise SystemExit(f"{error}; nothing was stored") from None
            console.print(f"[red]{shown(str(error))}[/]")
        else:
            console.print(f"[green]works[/]  {shown(f'{tried.host} as {tried.user}')}")
            if tried.missing:
                missing = ", ".join(tried.missing)
                console.print(f"[yellow]lacks[/]  the scope {missing}: tick it in the webhook")
            if scopes == WRITE_SCOPES and not tried.admin:
                console.print(f"[yellow]but[/]    {NO_ADMIN}")
            return url


def check_hosts(
    portal: str, reading: str, writing: str, stored: str, *, has_mirror: bool = False
) -> None:
    """Exit where the webhooks are not of one portal, or not of the portal that was connected.

    `stored` is the reading webhook so far; a portal that was disconnected has a mirror alone.
    """
    host, other, before = _host(reading), _host(writing), _host(stored)
    if host != other:
        raise SystemExit(f"reading is from {host}, writing to {other}; nothing was stored")
    if before and before != host:
        question = f"{portal} is {before} so far. Is {host} the same portal, renamed? (yes)"
    elif not before and has_mirror:
        question = f"The mirror of {portal} is there from before. Is {host} that portal? (yes)"
    else:
        return
    if ask(question) != "yes":
        raise SystemExit(
            f"{portal} stays {before or 'disconnected'}; connect another portal under a name of "
            "its own: `make connect PORTAL=<name>`"
        )


def _host(url: str) -> str:
    """Return a webhook's host; empty where the URL is no webhook's."""
    try:
        return Webhook.parse(url, allow_http=True).host
    except ConfigurationError:
        return ""
