"""A connected portal of a deployed stack: calls through the limit that the functions share."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from ops.deployed import Deployed
from ops.secrets import WRITE_URL
from relay.echo.calls import Call
from relay.errors import ConfigurationError, RelayError
from relay.portal import Portal, Webhook
from relay.portal.shared_slots import SharedSlots
from relay.portal.slots import Pace
from relay.reaction.acting_user import acting_user
from relay.reaction.checkpoint import Write, digest_of
from relay.reaction.write_notes import Author, Ledger, WriteNotes
from relay.state_batch import StateBatch
from relay.state_requests import StateRequests

PATIENCE_SECONDS = 3600.0


class Noted(NamedTuple):
    """A call, and the id under which the ledger counts it."""

    record_id: str
    method: str
    params: dict[str, object]


def open_portal(ssm: Any, dynamodb: Any, stack: Deployed, name: str) -> Portal:
    """Return a portal through its writing webhook; exits where it is not connected."""
    path = f"{stack.outputs['SecretsPrefix']}/{WRITE_URL}/{name}"
    found = ssm.get_parameters(Names=[path], WithDecryption=True)["Parameters"]
    if not found:
        raise SystemExit(f"portal {name} is not connected: `make connect PORTAL={name}`")
    try:
        webhook = Webhook.parse(found[0]["Value"], allow_http=stack.allow_http)
    except ConfigurationError as wrong:
        raise SystemExit(f"{wrong}; `make connect PORTAL={name}` stores another") from None
    pace = Pace(
        burst=float(stack.parameters["PortalBurst"]),
        rate=float(stack.parameters["PortalRate"]),
        reserve=float(stack.parameters["PortalReservePercent"]) / 100,
    )
    slots = SharedSlots(dynamodb, stack.resource("StateTable"), name, pace)
    return Portal(webhook, remaining_seconds=lambda: PATIENCE_SECONDS, slots=slots)


class Writer:
    """Writes to a portal under a reaction's name, so that its changes are known as the relay's."""

    def __init__(self, portal: Portal, dynamodb: Any, stack: Deployed, name: str) -> None:
        self._portal, self._name = portal, name
        self._requests = StateRequests(dynamodb, stack.resource("StateTable"))

    async def write(self, by: str, calls: Sequence[Noted]) -> list[object]:
        """Note calls in the ledger, then send them together; return the result or error of each."""
        batch = StateBatch(self._requests)
        ledger = Ledger(batch, by, Counter())
        token, user = uuid4().hex, acting_user(self._portal.webhook)
        tries = [
            (
                WriteNotes(
                    ledger,
                    Author(self._name, one.record_id, f"{token}.{at}", user),
                    lambda *_, **__: None,
                ),
                Write(one.method, 0, digest_of(one.params), time.time()),
                Call(one.method, one.params),
            )
            for at, one in enumerate(calls)
        ]  # fmt: skip
        noted = await asyncio.gather(*map(_note, tries))
        # All are noted before the first is called, so that calls share requests of 50.
        return await asyncio.gather(
            *(self._call(*one, error) for one, error in zip(tries, noted, strict=True))
        )

    async def _call(
        self, notes: WriteNotes, write: Write, call: Call, error: Exception | None
    ) -> object:
        if error:
            return error
        try:
            result = await self._portal.call(call.method, **call.params)
        except RelayError as trouble:
            await notes.failed(write, trouble)
            return trouble
        await notes.author.user.check(self._portal, call, result)
        await notes.after(write, call, result)
        return result


async def _note(one: tuple[WriteNotes, Write, Call]) -> Exception | None:
    notes, write, call = one
    try:
        await notes.before(write, call)
    except RelayError as trouble:
        return trouble
    return None
