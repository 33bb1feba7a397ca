"""The types of a portal: the calls that a reaction may make, and the values that come back."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from relay.errors import CallError

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type Params = Mapping[str, object]  # the parameters of a REST method by their names
type Commands = Mapping[str, tuple[str, Params]]  # of a batch: name -> (method, parameters)
type Result = Any  # JSON, in the shape that the REST method documents
type Outcome = Json | CallError  # the result of one command, or the error in its place


class PortalApi(Protocol):
    """A portal: `Portal`, the portal of a reaction and `FakePortal` are all of this type."""

    @property
    def requests(self) -> int:
        """Return the number of HTTP requests that were sent."""

    async def call(self, method: str, /, **params: object) -> Result:
        """Return the `result` of a REST method; raises a CallError."""

    def list(self, method: str, /, **params: object) -> AsyncIterator[Result]:
        """Iterate over all items of a list method, in the order of their ids."""

    async def batch(
        self, commands: Commands, *, halt: bool = False, return_errors: bool = False
    ) -> dict[str, Result]:
        """Run commands in one request, in order; return {name: result}."""

    def busy(self) -> AbstractContextManager[None]:
        """Hold requests back during I/O of the caller that may lead to further calls."""

    async def settled(self) -> None:
        """Wait until every call has ended, those of cancelled callers included."""
