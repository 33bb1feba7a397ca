"""One portal through its incoming webhook: `await portal.call("crm.item.get", …)`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from math import inf

from relay.errors import CallError, NotForBatchError, OperatorError, TransientError
from relay.portal.api import Commands, Json, Outcome, Params, PortalApi, Result
from relay.portal.batch import check_size, error_of_call, not_run, raise_first
from relay.portal.batching import Batcher
from relay.portal.lists import Listing
from relay.portal.pending import ExplicitBatch, PendingCall
from relay.portal.references import needs_calls, resolve
from relay.portal.sending import Sender
from relay.portal.slots import Slots
from relay.portal.webhook import Webhook
from relay.portal.webhook_state import state_of


class Portal:
    """A portal through its webhook.

    `remaining_seconds` returns the seconds until the function ends: no call waits longer. `slots`
    gives the times of requests (relay.portal.shared_slots); without it the process has a limit of
    its own. A Portal may outlive event loops, and be used in several.
    """

    def __init__(
        self,
        webhook: Webhook,
        *,
        remaining_seconds: Callable[[], float] | None = None,
        slots: Slots | None = None,
    ) -> None:
        self.webhook = webhook
        state = state_of(webhook)
        self._sender = Sender(state, slots or state.own_slots, remaining_seconds or (lambda: inf))
        self._batchers: dict[asyncio.AbstractEventLoop, Batcher] = {}

    @property
    def requests(self) -> int:
        """Return the number of HTTP requests that were sent, refused and lost ones included."""
        return self._sender.requests

    async def call(self, method: str, /, **params: object) -> Result:
        """Return the `result` of a REST method; raises a CallError.

        Calls that wait at the same time share requests. Cancelling the caller does not stop a call.
        """
        return await self._call(method, params)

    async def list(self, method: str, /, **params: object) -> AsyncIterator[Result]:
        """Iterate over all items of a list method, in the order of their ids.

        `async for deal in portal.list("crm.item.list", entityTypeId=2, filter={…})`. A list with an
        `order` of the caller's is read by offset, which shifts when items come or go meanwhile.
        Raises a CallError.
        """
        async for page in Listing(method, params, self._call_all, self._outcomes).pages():
            for item in page:
                yield item

    async def batch(
        self, commands: Commands, *, halt: bool = False, return_errors: bool = False
    ) -> dict[str, Result]:
        """Run commands, {name: (method, parameters)}, in one request and in order.

        Returns {name: result}. A value that is `$result[name][field]` of an earlier command is
        replaced by that result, except in a `Text`. With `halt` the commands after an error do not
        run. Raises the first error; with `return_errors` an error stands in place of its result.
        Raises ValueError for no commands, more than 50, or a reference inside a longer text.

        If a batch would change a text or can't hold a parameter, the commands become plain calls,
        one after the other.
        """
        check_size(commands)
        try:
            batch = None if needs_calls(commands) else ExplicitBatch(commands, halt=halt)
        except NotForBatchError:
            batch = None
        if batch:
            outcomes = dict(zip(commands, await self._outcomes(batch), strict=True))
        else:
            outcomes = await self._one_by_one(commands, halt=halt)
        return outcomes if return_errors else raise_first(outcomes)

    async def _one_by_one(self, commands: Commands, *, halt: bool) -> dict[str, Outcome]:
        """Return the outcomes of a batch's commands as plain calls, in order."""
        outcomes: dict[str, Outcome] = {}
        results: dict[str, Json] = {}
        stop: CallError | None = None
        for name, (method, params) in commands.items():
            if stop:
                outcomes[name] = error_of_call(stop, method)
                continue
            try:
                outcomes[name] = results[name] = await self._call(method, resolve(params, results))
            except CallError as error:
                outcomes[name] = error
                if halt:
                    stop = not_run(method)
                elif isinstance(error, TransientError | OperatorError):
                    stop = error  # the whole portal refuses, so it would refuse the rest too
        return outcomes

    def busy(self) -> AbstractContextManager[None]:
        """Hold requests back during I/O of the caller that may lead to further calls."""
        return self._batcher().hold()

    async def settled(self) -> None:
        """Wait until every call in this event loop has ended, cancelled callers' calls included."""
        await self._batcher().finish()

    def _batcher(self) -> Batcher:
        """Return the batcher of the running event loop; drops those of closed loops."""
        loop = asyncio.get_running_loop()
        if loop not in self._batchers:
            self._batchers = {
                other: batcher for other, batcher in self._batchers.items() if not other.is_closed()
            }
            self._batchers[loop] = Batcher(self._sender)
        return self._batchers[loop]

    async def _call(self, method: str, params: Params) -> Result:
        (outcome,) = await self._outcomes(PendingCall(method, params))
        if isinstance(outcome, CallError):
            raise outcome
        return outcome

    async def _call_all(self, method: str, all_params: Sequence[Params]) -> Sequence[Json]:
        return await asyncio.gather(*(self._call(method, params) for params in all_params))

    async def _outcomes(self, call: PendingCall) -> Sequence[Outcome]:
        self._batcher().add(call)
        return await asyncio.shield(call.future)


_is_portal_api: type[PortalApi] = Portal  # checked by mypy
