"""A portal for tests: it gives prepared answers and records the calls.

portal = FakePortal({"crm.item.get": {"item": {"id": 5}}, "im.notify.system.add": 1})
portal.fail("tasks.task.add", "QUERY_LIMIT_EXCEEDED")
await follow_up(change, portal)
assert portal.calls == [("crm.item.get", {"entityTypeId": 2, "id": 5}), …]
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from relay import errors
from relay.portal.answers import error_of
from relay.portal.api import Commands, Params, PortalApi, Result
from relay.portal.batch import check_size, not_run, raise_first
from relay.portal.idempotent import is_read
from relay.portal.ids import ids_of
from relay.portal.pages import items_of
from relay.portal.references import needs_calls, resolve


class FakePortal:
    """Stands for a Portal in a test.

    `answers` maps a method to its result, to a function of the parameters that returns the result,
    or to an exception to raise, and may be changed at any time; or it is one function of method and
    parameters for all methods. A method without an answer fails the test. A write returns the ids
    in its answer only, as in a reaction (relay.portal.ids). `calls` lists (method, parameters) of
    all calls: `list` counts once, and each command of a `batch` counts.
    """

    def __init__(
        self, answers: Mapping[str, Result] | Callable[[str, Params], Result] | None = None
    ) -> None:
        self._answer_all = answers if callable(answers) else None
        self.answers: dict[str, Result] = {} if callable(answers) else dict(answers or {})
        self.calls: list[tuple[str, dict[str, Result]]] = []

    @property
    def requests(self) -> int:
        """Return the number of calls: here each would be a request."""
        return len(self.calls)

    def fail(self, method: str, name: str, description: str = "made to fail") -> None:
        """Let a method raise the error class (`TransientError`) or the portal's code of a name."""
        error_class = getattr(errors, name, None)
        self.answers[method] = (
            error_class(method, name.upper(), description)
            if isinstance(error_class, type) and issubclass(error_class, errors.CallError)
            else error_of(method, {"error": name, "error_description": description})
        )

    async def call(self, method: str, /, **params: object) -> Result:
        """Record the call; return or raise its answer."""
        return _reduced(method, self._answer(method, params))

    async def list(self, method: str, /, **params: object) -> AsyncIterator[Result]:
        """Record the call; iterate over the items of its one answer, wrapped or not."""
        for item in items_of(self._answer(method, params)):
            yield item

    async def batch(
        self, commands: Commands, *, halt: bool = False, return_errors: bool = False
    ) -> dict[str, Result]:
        """Record and answer each command, with references to earlier results resolved."""
        check_size(commands)
        needs_calls(commands)  # raises the same ValueError as a Portal
        outcomes: dict[str, Result] = {}
        results: dict[str, Result] = {}
        for name, (method, params) in commands.items():
            if halt and len(results) < len(outcomes):
                outcomes[name] = not_run(method)
                continue
            try:
                answer = self._answer(method, resolve(params, results))
            except errors.CallError as error:
                outcomes[name] = error
            else:
                results[name] = answer
                outcomes[name] = _reduced(method, answer)
        return outcomes if return_errors else raise_first(outcomes)

    def busy(self) -> AbstractContextManager[None]:
        """Hold nothing back."""
        return nullcontext()

    async def settled(self) -> None:
        """Return at once: no call of a FakePortal is ever under way."""

    def _answer(self, method: str, params: dict[str, Result]) -> Result:
        self.calls.append((method, params))
        if method in self.answers:
            answer = self.answers[method]
            answer = answer(**params) if callable(answer) else answer
        elif self._answer_all:
            answer = self._answer_all(method, params)
        else:
            raise AssertionError(f"{method} was called, but this FakePortal has no answer for it")
        if isinstance(answer, Exception):
            raise answer
        return answer


def _reduced(method: str, answer: Result) -> Result:
    return answer if is_read(method) else ids_of(answer)


_is_portal_api: type[PortalApi] = FakePortal  # checked by mypy
