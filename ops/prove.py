"""Does the outgoing webhook work? A marked contact is written, its event comes, it is deleted.

The mirror's row tells: it was read because of an event (`via`). A sweep may read the contact too,
and proves nothing. Reactions that get the event of a new contact run for this one as well, so it is
deleted when they have ended: they would find no contact otherwise.
"""

import asyncio
import time
from collections.abc import Callable
from secrets import token_hex
from time import monotonic
from typing import Annotated, Any, NamedTuple

import typer

from ops.deployed import Deployed
from ops.log_search import Span, search
from ops.portals import Noted, Writer, open_portal
from ops.stopping import Stop
from ops.subscribed import reactions_on
from ops.terminal import console, shown
from ops.unproven import EVENT_NAME, why
from relay.echo.effects import created_id
from relay.echo.stamps import put_on, stamp_of
from relay.errors import MayHaveRunError
from relay.ingress.tokens import REFRESH_SECONDS
from relay.tracking.hint import EVENT
from relay.tracking.row import Key

CONTACT = 3
PATIENCE_SECONDS = 60.0  # beside TrackWindowSeconds
REACTIONS_SECONDS = 30.0  # for logs, which come late, too
PAUSE_SECONDS = 0.5
ENDS = {"handled", "dead-lettered"}  # of a record, in the log

Prove = Annotated[
    bool, typer.Option("--prove", help="Write a marked contact, wait for its event, delete it")
]
type Clients = Callable[[str], Any]  # a boto3 client by its service


class Proof(NamedTuple):
    """What became of a marked contact: seconds until it was in the mirror, or why it was not."""

    contact: str = ""
    seconds: float | None = None
    reason: str = ""
    deleted: bool = False

    @property
    def is_left(self) -> bool:
        """Say whether a person has to act."""
        return self.seconds is None or not self.deleted

    def document(self) -> dict[str, object]:
        """Return the proof for a program."""
        return self._asdict()


def prove(client: Clients, stack: Deployed, portal: str, stored_at: float = 0.0) -> Proof:
    """Prove a portal's outgoing webhook; `stored_at` is when its token was stored (monotonic s)."""
    with Stop() as stop:
        # Until then a process that has just read the tokens would refuse the new one.
        stop.sleep(max(stored_at + REFRESH_SECONDS - monotonic(), 0) if stored_at else 0)
        mark = f"proof-{token_hex(6)}"
        fields = {"name": "Relay", "lastName": mark}
        params: dict[str, object] = {"entityTypeId": CONTACT, "fields": fields}
        if stamp := stamp_of("crm.item.add", params, mark):
            params = dict(put_on(params, stamp))
        began, since = monotonic(), time.time()
        added = _write(client, stack, portal, Noted(mark, "crm.item.add", params))
        number = created_id(added)
        if not number:
            return _not_written(added, mark)
        console.print(f"contact/{number} is written, named {mark}; its event is waited for")
        try:
            seconds = _wait(client, stack, Key(portal, "contact", int(number)), began, stop)
            if seconds is None and not stop:
                reason = why(client, stack, portal, number, since)
            else:
                reason = "" if seconds is not None else "interrupted"
                _wait_for_reactions(client, stack, f"{portal}.contact.{number}.add", since, stop)
        finally:
            params = {"entityTypeId": CONTACT, "id": int(number)}
            gone = _write(client, stack, portal, Noted(f"{mark} end", "crm.item.delete", params))
    proof = Proof(f"contact/{number}", seconds, reason, not isinstance(gone, Exception))
    _tell(proof, gone)
    return proof


def _not_written(error: object, mark: str) -> Proof:
    reason = f"no contact could be written: {error}"
    if isinstance(error, MayHaveRunError):
        reason += f"; if the portal has a contact named {mark}, delete it"
    console.print(f"[red]not proven[/]  {shown(reason)}")
    return Proof(reason=reason)


def _tell(proof: Proof, gone: object) -> None:
    if proof.seconds is not None:
        text = f"the event of {proof.contact} came, and it was read within {proof.seconds} s"
        console.print(f"[green]proven[/]  {text}")
    else:
        console.print(f"[red]not proven[/]  {shown(proof.reason)}")
    if proof.deleted:
        console.print(f"{proof.contact} is deleted")
    else:
        console.print(shown(f"{proof.contact} is left in the portal, delete it there: {gone}"))


def _write(client: Clients, stack: Deployed, portal: str, call: Noted) -> object:
    """Return the result of a write, or its error; its change is known as the relay's own."""
    dynamodb = client("dynamodb")
    opened = open_portal(client("ssm"), dynamodb, stack, portal)
    (result,) = asyncio.run(Writer(opened, dynamodb, stack, portal).write("prove", [call]))
    return result


def _wait(client: Clients, stack: Deployed, key: Key, began: float, stop: Stop) -> float | None:
    """Return the seconds until an event brought an item into the mirror; None if none did."""
    patience = PATIENCE_SECONDS + float(stack.parameters.get("TrackWindowSeconds", "1"))
    dynamodb, table = client("dynamodb"), stack.resource("Mirror")
    while not stop and monotonic() - began < patience:
        row = dynamodb.get_item(TableName=table, Key=key.to_item(), ConsistentRead=True)
        if row.get("Item", {}).get("via", {}).get("S") == EVENT:
            return round(monotonic() - began, 1)
        stop.sleep(PAUSE_SECONDS)
    return None


def _wait_for_reactions(
    client: Clients, stack: Deployed, event_id: str, since: float, stop: Stop
) -> None:
    """Wait until each reaction that gets an event has ended, as far as the log tells."""
    left, deadline = reactions_on(EVENT_NAME), monotonic() + REACTIONS_SECONDS
    while left and not stop and monotonic() < deadline:
        spans = [Span(since, time.time())]
        for line in search(client("logs"), stack.outputs["LogGroup"], event_id, spans):
            if line.get("event_id") == event_id and line.get("message") in ENDS:
                left -= {line.get("service").replace("_", "").lower()}
        if left:
            stop.sleep(2 * PAUSE_SECONDS)
