"""`make robot`: an address for robots and business processes, and a reaction that they start.

All robots of a portal share a secret, so a portal can have any number of them. ROTATE=1 stores a
new one before the older ones, which stay accepted until REPLACE=1.
"""

import asyncio
import re
import secrets as random_secrets
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer

from ops.build import ROOT
from ops.deployed import PortalName, Stack, find_stack
from ops.new import MAX_LETTERS, NAME, new
from ops.outcome import Outcome
from ops.secrets import MAX_TOKENS, READ_URL, ROBOTS, lines_of, store, stored_secrets, with_token
from ops.subscribed import subscribed_robots
from ops.terminal import console, shown
from relay.errors import CallError, ConfigurationError
from relay.kinds import Kind, kind_of
from relay.portal import Portal, Webhook

SECRET_BYTES = 24
MAX_FIELDS = 40  # shown; a portal may have hundreds
# A robot of tasks has no REST method that lists its fields; of others these are there if the
# portal does not answer.
USUAL_FIELDS = {"ID": "ID", "TITLE": "Name", "ASSIGNED_BY_ID": "Responsible"}
TASK_FIELDS = {"ID": "ID", "TITLE": "Name", "RESPONSIBLE_ID": "Responsible", "STATUS": "Status"}
WARNING = """\
Bitrix24 puts a value into the address as it is. `&` in a value begins another
parameter, `#` cuts off all that follows, `+` becomes a blank. What survives:
  no parameters: each call names its item, and the reaction reads it fresh
  a calculated value: title={{=urlencode({=Document:TITLE})}}
Put a value that people write last, so that it spoils no other. An address has
room for about 9,900 bytes of values, of which a Cyrillic letter takes six: AWS
refuses a longer call, and nobody learns of it. No line break may be in it."""


def ensure_reaction(root: Path, name: str) -> list[Path]:
    """Make the reaction of a robot unless one subscribes to it; return the written paths.

    Raises ValueError for a name that no reaction can have.
    """
    if not re.fullmatch(NAME, name) or len(name) > MAX_LETTERS:
        raise ValueError(
            f"a robot is called like send_contract, in at most {MAX_LETTERS} letters; not {name!r}"
        )
    return [] if name in subscribed_robots(root) else new(root, name, f"robot.{name}")


def with_secret(stored: list[str], *, rotate: bool, replace: bool) -> list[str]:
    """Return a portal's secrets, the one for new addresses first."""
    if stored and not rotate and not replace:
        return stored
    fresh = random_secrets.token_hex(SECRET_BYTES)
    return [fresh] if replace else with_token(fresh, stored)


def address(hook_url: str, portal: str, secret: str, name: str) -> str:
    """Return the address of a robot, without parameters."""
    return f"{hook_url.removesuffix('/bitrix24')}/robot/{portal}/{secret}/{name}"


def fields_of(kind: Kind, url: str, *, allow_http: bool) -> dict[str, str]:
    """Return {name in placeholders: title} of a kind's fields; the usual ones without an answer."""
    if kind.entity_type_id is None:
        return TASK_FIELDS
    try:
        portal = Portal(Webhook.parse(url, allow_http=allow_http))
        call = portal.call("crm.item.fields", entityTypeId=kind.entity_type_id)
        answer = asyncio.run(call)
        fields: dict[str, Any] = answer["fields"]
        return {
            str(field.get("upperName") or name): str(field.get("title") or name)
            for name, field in fields.items()
        }
    except (ConfigurationError, CallError, KeyError, TypeError, AttributeError):
        return USUAL_FIELDS


def command(  # noqa: PLR0913  a command has options
    name: Annotated[str, typer.Option(help="The robot's name", metavar="NAME")] = "",
    portal: PortalName = "main",
    stack: Stack = "relay",
    kind: Annotated[str, typer.Option(help="The kind of its items", metavar="KIND")] = "deal",
    *,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Store a new secret beside the older ones")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Refuse all older addresses")] = False,
) -> Outcome:
    """Print the address of a robot; makes its secret and its reaction where there are none."""
    try:
        of_kind = kind_of(kind)
        made = ensure_reaction(ROOT, name)
    except KeyError:
        raise SystemExit(f"there is no kind {kind!r}; KIND is deal, lead, dynamic_128, …") from None
    except ValueError as error:
        raise SystemExit(str(error)) from None
    for path in made:
        console.print(shown(str(path.relative_to(ROOT))))
    deployed = find_stack(stack)
    prefix, ssm = deployed.outputs["SecretsPrefix"], boto3.client("ssm")
    own = stored_secrets(ssm, prefix).get(portal, {})
    if READ_URL not in own:
        raise SystemExit(f"portal {portal} is not connected: `make connect PORTAL={portal}`")
    before = lines_of(own, ROBOTS)
    after = with_secret(before, rotate=rotate, replace=replace)
    if after != before:
        store(ssm, prefix, portal, {ROBOTS: "\n".join(after)})
    fields = fields_of(of_kind, own[READ_URL], allow_http=deployed.allow_http)
    url = address(deployed.outputs["HookUrl"], portal, after[0], name)
    _explain(stack, url, fields)
    if after != before:
        console.print(f"{len(after)} secret(s) accepted, at most {MAX_TOKENS}; the new one in 5 s.")
    if before and replace:
        console.print("Older addresses are refused after 5 minutes at the latest.")
    if made:
        console.print(f"{name} has a reaction now; `make unit`, then `make deploy` switches it on.")
    files = [str(path.relative_to(ROOT)) for path in made]
    return Outcome({"address": url, "fields": fields, "secrets": len(after), "files": files})


def _explain(stack: str, url: str, fields: dict[str, str]) -> None:
    first = "OPPORTUNITY" if "OPPORTUNITY" in fields else next(iter(fields))
    console.print('\nIn Bitrix24: a robot, or a step of a business process, "Outgoing webhook"')
    console.print(f"(Исходящий вебхук). Paste as its Handler; it is a secret of {stack}:\n")
    console.print(shown(f"  {url}?value={{=Document:{first}}}"))
    console.print("\nPlaceholders to choose from, and what they are called in the portal:\n")
    for field, title in list(fields.items())[:MAX_FIELDS]:
        console.print(shown(f"  {{=Document:{field}}}  {title}"))
    if len(fields) > MAX_FIELDS:
        console.print(f"  … and {len(fields) - MAX_FIELDS} more: the button beside the field")
    console.print(shown("\n" + WARNING + "\n"))
