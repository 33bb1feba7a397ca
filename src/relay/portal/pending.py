"""What waits to be sent: commands that travel together and in order, and who asked for them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from relay.errors import CallError, NotForBatchError
from relay.portal.batch import of_call
from relay.portal.encoding import MOST_QUERY_BYTES, to_query
from relay.portal.idempotent import is_idempotent, is_read
from relay.portal.references import is_touched

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """A method with its parameters."""

    method: str
    params: Params

    @property
    def harmless(self) -> bool:
        """Whether running it twice does what running it once does."""
        return is_idempotent(self.method, self.params)


class PendingCall:
    """One call. Its future gives a list with its one outcome, as those of larger units do.

    Parameters that a batch would not carry unchanged go alone, as JSON.
    """

    least = 1  # commands that it needs
    most = 1  # commands that it can use
    halt = False

    def __init__(self, method: str, params: Params, *, alone: bool = False) -> None:
        self.method = method
        self.future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self.tries = 0
        self.not_before = 0.0
        self.ends_at = inf  # when the function that asked is over
        self.params = params
        self.alone = alone
        self.reads = is_read(method)
        self.query = ""
        if is_touched(params):
            self.go_alone()
            return
        try:
            self.query = to_query(params)
        except NotForBatchError:
            self.go_alone()

    def go_alone(self) -> None:
        """Take a request for one command of its own."""
        self.alone = True
        self.least = self.most = 1

    @property
    def query_bytes(self) -> int:
        """How much of a batch's body it takes."""
        return len(self.query)

    def commands(self, keys: Sequence[str]) -> dict[str, Command]:
        """Return the commands for these keys; of a call there is one."""
        return {keys[0]: Command(self.method, self.params)}

    def queries(self, commands: Mapping[str, Command]) -> Iterable[tuple[str, str]]:
        """Return its commands as a batch takes them."""
        return [(key, f"{self.method}?{self.query}") for key in commands]

    def finish(self, outcomes: list[Any]) -> None:
        """Tell who asked."""
        self.future.set_result(outcomes)

    def break_off(self, broken: BaseException) -> None:
        """Tell who asked that there is no outcome: no slot, the end of the loop, or a fault."""
        if self.future.done():
            return
        if isinstance(broken, asyncio.CancelledError):
            self.future.cancel()
        elif isinstance(broken, CallError):
            self.future.set_exception(of_call(broken, self.method))
        else:
            self.future.set_exception(broken)


class PendingPages(PendingCall):
    """Pages of a list: each command begins where the one before it ends.

    It uses as many commands as there is room for, between `least` and `most`. `page` makes the
    parameters of the next page from the key of the one before, None for the first.
    """

    def __init__(
        self, method: str, page: Callable[[str | None], Params], *, least: int, most: int
    ) -> None:
        self._page = page
        self.least, self.most = least, most
        super().__init__(method, page(None))
        # Each page repeats the filter: a long one leaves room for fewer.
        self.most = max(min(self.most, MOST_QUERY_BYTES // max(len(self.query), 1)), 1)

    def commands(self, keys: Sequence[str]) -> dict[str, Command]:
        """Return a page for each key."""
        return {
            key: Command(self.method, self._page(keys[at - 1] if at else None))
            for at, key in enumerate(keys)
        }

    def queries(self, commands: Mapping[str, Command]) -> Iterable[tuple[str, str]]:
        """Return its pages as a batch takes them."""
        return _queries(commands)


class ExplicitBatch(PendingCall):
    """A batch that somebody has put together: its own keys, its own request."""

    def __init__(self, commands: Mapping[str, Command], *, halt: bool) -> None:
        super().__init__("batch", {}, alone=True)
        self.halt = halt
        self._commands = dict(commands)
        self._queries = list(_queries(commands))  # now, so that who asked is told what can't be

    def commands(self, keys: Sequence[str]) -> dict[str, Command]:  # noqa: ARG002  it has its own
        """Return them all by their own keys."""
        return self._commands

    def queries(self, commands: Mapping[str, Command]) -> Iterable[tuple[str, str]]:  # noqa: ARG002
        """Return them all as a batch takes them."""
        return self._queries


def _queries(commands: Mapping[str, Command]) -> Iterable[tuple[str, str]]:
    return [(key, f"{its.method}?{to_query(its.params)}") for key, its in commands.items()]
