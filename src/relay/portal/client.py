"""One portal through its incoming webhook: `await portal.call("crm.item.get", …)`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from math import inf
from typing import Any

from relay.errors import CallError, NotForBatchError, OperatorError, PermanentError, TransientError
from relay.portal.api import PortalApi
from relay.portal.batch import NOT_RUN, of_call
from relay.portal.batching import Batcher
from relay.portal.lists import Listing
from relay.portal.pending import Command, ExplicitBatch, Params, PendingCall
from relay.portal.references import needs_calls, resolve
from relay.portal.sending import Sender
from relay.portal.slots import Slots
from relay.portal.webhook import Webhook
from relay.portal.webhook_state import MOST_COMMANDS, known


class Portal:
    """What can be asked of a portal.

    `remaining_seconds` says how long the function may still take: nothing waits longer. `slots`
    is where requests get their time from (`relay.portal.shared_slots`); without it this process
    keeps a limit of its own. A Portal may outlive event loops, and be used in several.
    """

    def __init__(
        self,
        webhook: Webhook,
        *,
        remaining_seconds: Callable[[], float] | None = None,
        slots: Slots | None = None,
    ) -> None:
        self.webhook = webhook
        about = known(webhook)
        self._delivery = Sender(about, slots or about.own_slots, remaining_seconds or (lambda: inf))
        self._gatherings: dict[asyncio.AbstractEventLoop, Batcher] = {}

    @property
    def requests(self) -> int:
        """How many requests were sent, refused and lost ones included."""
        return self._delivery.requests

    async def call(self, method: str, /, **params: Any) -> Any:
        """Return the `result` of a REST method; raises a CallError.

        Calls that wait at the same time share requests. A caller that is cancelled does not stop
        what it asked for.
        """
        return await self._one(method, params)

    def list(self, method: str, /, **params: Any) -> AsyncIterator[Any]:
        """Iterate over all items of a list method, in the order of their ids.

        `async for deal in portal.list("crm.item.list", entityTypeId=2, filter={…})`. An `order`
        of your own makes it read by offset, which shifts when items come or go meanwhile.
        """
        return self._items(Listing(method, params, self._together, self._ask))

    async def batch(
        self,
        commands: Mapping[str, tuple[str, Params]],
        *,
        halt: bool = False,
        return_errors: bool = False,
    ) -> dict[str, Any]:
        """Run commands in one request, in order; return their results by their names.

        A value that is `$result[name][field]` of an earlier command is replaced by that result,
        a `Text` never; with `halt` an error ends the batch. Text that a portal would replace in a
        batch, or parameters that a query can't hold, make all of it plain calls, one after the
        other. Raises the first error, or with
        `return_errors` has it as that command's result.
        """
        if not 0 < len(commands) <= MOST_COMMANDS:
            raise ValueError(f"a batch holds 1 to {MOST_COMMANDS} commands, not {len(commands)}")
        unit = None if needs_calls(commands) else _explicit(commands, halt=halt)
        if unit:
            outcomes = dict(zip(commands, await self._ask(unit), strict=True))
        else:
            outcomes = await self._one_by_one(commands, halt=halt)
        for outcome in outcomes.values():
            if isinstance(outcome, CallError) and not return_errors:
                raise outcome
        return outcomes

    async def _one_by_one(
        self, commands: Mapping[str, tuple[str, Params]], *, halt: bool
    ) -> dict[str, Any]:
        """Return the outcomes of a batch's commands as plain calls, in order."""
        outcomes: dict[str, Any] = {}
        results: dict[str, Any] = {}
        stop: CallError | None = None
        for name, (method, params) in commands.items():
            if stop:
                outcomes[name] = of_call(stop, method)
                continue
            try:
                outcomes[name] = results[name] = await self._one(method, resolve(params, results))
            except CallError as error:
                outcomes[name] = error
                if halt:
                    stop = PermanentError(method, NOT_RUN, "an earlier command failed")
                elif isinstance(error, TransientError | OperatorError):
                    stop = error  # it concerns the portal, and with it what follows
        return outcomes

    def busy(self) -> AbstractContextManager[None]:
        """Hold requests back while I/O of your own is under way that may bring further calls."""
        return self._gathering().hold()

    async def settled(self) -> None:
        """Wait until no call is under way in this event loop, cancelled callers' included."""
        await self._gathering().finish()

    def _gathering(self) -> Batcher:
        loop = asyncio.get_running_loop()
        if loop not in self._gatherings:
            self._gatherings = {
                other: its for other, its in self._gatherings.items() if not other.is_closed()
            }
            self._gatherings[loop] = Batcher(
                self._delivery.size, self._delivery.take_slot, self._delivery.send
            )
        return self._gatherings[loop]

    async def _one(self, method: str, params: Params) -> Any:
        (outcome,) = await self._ask(PendingCall(method, params))
        if isinstance(outcome, CallError):
            raise outcome
        return outcome

    async def _ask(self, unit: PendingCall) -> Sequence[Any]:
        self._delivery.accept(unit)
        self._gathering().add(unit)
        return await asyncio.shield(unit.future)

    async def _together(self, method: str, asked: Sequence[Params]) -> Sequence[Any]:
        return await asyncio.gather(*(self._one(method, params) for params in asked))

    async def _items(self, listing: Listing) -> AsyncIterator[Any]:
        async for page in listing.pages():
            for item in page:
                yield item


def _explicit(commands: Mapping[str, tuple[str, Params]], *, halt: bool) -> ExplicitBatch | None:
    """Return the commands as one request; None where a query can't hold them."""
    asked = {name: Command(method, params) for name, (method, params) in commands.items()}
    try:
        return ExplicitBatch(asked, halt=halt)
    except NotForBatchError:
        return None


_is_one: type[PortalApi] = Portal  # mypy proves it
