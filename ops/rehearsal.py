"""A reaction's run on this machine: reads are answered from the past, writes are only listed."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from itertools import count

from ops.former_world import FormerWorld, NotHeldError, Params
from relay.echo.calls import Call
from relay.portal.api import Commands, PortalApi, Result
from relay.portal.fake import FakePortal
from relay.portal.idempotent import is_read
from relay.reaction.checkpoint import Write, digest_of

FIRST_ID = 9_000_000_001  # of what a rehearsed write would have made


class RehearsalPortal:
    """A portal without a portal; `writes` are the calls that would have been sent.

    A write that was made when the change happened gets its recorded result. `unheld` names the
    first read that nothing but the portal could answer.
    """

    def __init__(self, world: FormerWorld, moment: float, done: Sequence[Write]) -> None:
        self.writes: list[Call] = []
        self.unheld = ""
        self._world, self._moment = world, moment
        self._done = {(one.method, one.digest): one.result for one in done if one.done}
        self._fake = FakePortal(self._answer)
        self._ids = count(FIRST_ID)

    @property
    def requests(self) -> int:
        """No request is ever sent."""
        return 0

    async def call(self, method: str, /, **params: object) -> Result:
        """Answer a read as of then; list a write and return what it made, or would make."""
        if not is_read(method):
            self.writes.append(Call(method, params))
        return await self._fake.call(method, **params)

    async def list(self, method: str, /, **params: object) -> AsyncIterator[Result]:
        """Iterate over the items as of then."""
        async for item in self._fake.list(method, **params):
            yield item

    async def batch(
        self, commands: Commands, *, halt: bool = False, return_errors: bool = False
    ) -> dict[str, Result]:
        """Answer the reads of a batch; a batch with a write in it is listed as one write."""
        if not all(is_read(method) for method, _ in commands.values()):
            self.writes.append(Call.batch(commands, halt=halt))
        return await self._fake.batch(commands, halt=halt, return_errors=return_errors)

    def busy(self) -> AbstractContextManager[None]:
        """Hold nothing back."""
        return self._fake.busy()

    async def settled(self) -> None:
        """Return at once: nothing is under way."""

    def _answer(self, method: str, params: Params) -> Result:
        if is_read(method):
            try:
                return self._world.answer(method, params, self._moment)
            except NotHeldError as unheld:
                self.unheld = self.unheld or str(unheld)
                raise
        recorded = self._done.get((method, digest_of(params)))
        if recorded is not None:
            return json.loads(recorded)
        number = next(self._ids)
        match method.lower().split("."):
            case ["tasks", "task", "add"]:
                return {"task": {"id": str(number)}}
            case ["crm", "item", "add"]:
                return {"item": {"id": number}}
        return number


_satisfies: type[PortalApi] = RehearsalPortal  # mypy proves it
