"""Calls that wait to be sent: the commands of each, and the future of the caller."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

from relay.errors import CallError, NotForBatchError
from relay.portal.api import Commands, Outcome, Params
from relay.portal.batch import BATCH, error_of_call
from relay.portal.encoding import MAX_QUERY_BYTES, to_query
from relay.portal.idempotent import is_idempotent, is_read
from relay.portal.references import is_replaced


@dataclass(frozen=True)
class Command:
    """A REST method with its parameters."""

    method: str
    params: Params

    @property
    def idempotent(self) -> bool:
        """Return whether two runs leave the portal as one run does."""
        return is_idempotent(self.method, self.params)

    @cached_property
    def query(self) -> str:
        """Return `method?query` for a batch; raises NotForBatchError if no query is possible."""
        return f"{self.method}?{to_query(self.params)}"


def keep_until_done[F: asyncio.Future[Any]](future: F, among: set[F]) -> None:
    """Keep a future in a set until it is done; its error is read, or asyncio would log it."""

    def forget(_: object) -> None:
        among.discard(future)
        if not future.cancelled():
            future.exception()

    among.add(future)
    future.add_done_callback(forget)


class PendingCall:
    """One call. The future's result is [outcome], of larger kinds of calls one for each command.

    A call whose parameters a batch would change has `alone` set: it gets a request to itself.
    """

    max_commands = 1  # that the call can use; every call needs at least one
    halt = False

    def __init__(self, method: str, params: Params, *, alone: bool = False) -> None:
        self.method = method
        self.future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self.tries = 0  # requests that this call was part of
        self.not_before = 0.0  # seconds since 1970
        self.ends_at = inf  # seconds since 1970, when the function that made the call ends
        self.is_read = is_read(method)
        self.alone = alone or is_replaced(params)
        self._command = Command(method, params)
        self.query_bytes = 0  # in the body of a batch with other calls
        if not self.alone:
            try:
                self.query_bytes = len(self._command.query)
            except NotForBatchError:
                self.alone = True

    def send_alone(self) -> None:
        """Give the call a request to itself, with one command."""
        self.alone = True
        self.max_commands = 1

    def commands(self, keys: Sequence[str]) -> dict[str, Command]:
        """Return {key: command}; a plain call uses the first key only."""
        return {keys[0]: self._command}

    def finish(self, outcomes: list[Outcome]) -> None:
        """Give the caller the outcomes."""
        self.future.set_result(outcomes)

    def fail(self, error: BaseException) -> None:
        """Raise an error in the caller: no slot, the end of the event loop, or a bug."""
        if self.future.done():
            return
        if isinstance(error, asyncio.CancelledError):
            self.future.cancel()
        elif isinstance(error, CallError):
            self.future.set_exception(error_of_call(error, self.method))
        else:
            self.future.set_exception(error)


class PendingPages(PendingCall):
    """Pages of a list in one request: each command begins after the last item of the one before.

    `page` returns the parameters of a page from the key of the command before it (None for the
    first page). The call uses as many commands as a request has room for, up to `max_commands`.
    """

    def __init__(
        self, method: str, page: Callable[[str | None], Params], *, max_commands: int
    ) -> None:
        super().__init__(method, page(None))
        self._page = page
        if not self.alone:  # each page repeats the filter: a long one leaves room for fewer pages
            fitting = MAX_QUERY_BYTES // max(self.query_bytes, 1)
            self.max_commands = max(min(max_commands, fitting), 1)

    def commands(self, keys: Sequence[str]) -> dict[str, Command]:
        """Return {key: command of a page} for all keys."""
        earlier = [None, *keys[:-1]]
        return {
            key: Command(self.method, self._page(before))
            for key, before in zip(keys, earlier, strict=True)
        }


class ExplicitBatch(PendingCall):
    """A batch that a caller has put together: the caller's keys, a request to itself."""

    def __init__(self, commands: Commands, *, halt: bool) -> None:
        """Raise NotForBatchError if a query can't hold the parameters of a command."""
        super().__init__(BATCH, {}, alone=True)
        self.halt = halt
        self._commands = {name: Command(*command) for name, command in commands.items()}
        self.query_bytes = sum(len(command.query) for command in self._commands.values())

    def commands(self, keys: Sequence[str]) -> dict[str, Command]:  # noqa: ARG002  own keys
        """Return {key: command} with the caller's keys."""
        return self._commands


type Plan = list[tuple[PendingCall, dict[str, Command]]]


def plan_request(calls: Sequence[PendingCall], size: int) -> Plan:
    """Return each call with its commands by key; chains of pages share the room that is left."""
    chains = sum(call.max_commands > 1 for call in calls)
    share, more = divmod(max(size - len(calls), 0), max(chains, 1))
    plan: Plan = []
    used = 0
    for call in calls:
        count = min(call.max_commands, 1 + share + (more > 0))
        more -= call.max_commands > 1
        plan.append((call, call.commands([f"c{used + at}" for at in range(count)])))
        used += count
    return plan
