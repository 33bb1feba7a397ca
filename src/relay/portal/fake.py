"""A portal for tests: it remembers what it was asked and answers what it was told.

portal = FakePortal({"crm.item.get": {"item": {"id": 5}}, "im.notify.system.add": 1})
portal.fail("tasks.task.add", "QUERY_LIMIT_EXCEEDED")
await follow_up(change, portal)
assert portal.calls == [("crm.item.get", {"entityTypeId": 2, "id": 5}), …]
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from relay import errors
from relay.portal.answers import error_of
from relay.portal.api import PortalApi
from relay.portal.idempotent import is_read
from relay.portal.ids import ids_of
from relay.portal.pages import items_of
from relay.portal.references import needs_calls, resolve


class FakePortal:
    """Stands for a Portal in a test.

    `answers` is a mapping from method to result - or to a function of the parameters, or to an
    exception to raise - or one function of method and parameters for all of them. A method
    without an answer fails the test. Of the result of a write come its ids only, as a reaction gets
    them (relay.portal.ids). `calls` lists what was asked, those of `list` (once, with
    the parameters as given) and `batch` (each command) too.
    """

    def __init__(self, answers: Mapping[str, Any] | Callable[..., Any] | None = None) -> None:
        self._answer_all = answers if callable(answers) else None
        self._answers: dict[str, Any] = {} if callable(answers) else dict(answers or {})
        self.calls: list[tuple[str, dict[str, Any]]] = []

    @property
    def requests(self) -> int:
        """How many calls there were: here each goes alone."""
        return len(self.calls)

    def fail(self, method: str, name: str, description: str = "made to fail") -> None:
        """Let a method raise: by a class of the tree (`TransientError`) or a portal's code."""
        of_tree = getattr(errors, name, None)
        self._answers[method] = (
            of_tree(method, name.upper(), description)
            if isinstance(of_tree, type) and issubclass(of_tree, errors.CallError)
            else error_of(method, {"error": name, "error_description": description})
        )

    async def call(self, method: str, /, **params: Any) -> Any:
        """Remember the call; return or raise what the test wants."""
        return _kept(method, self._answer(method, params))

    async def list(self, method: str, /, **params: Any) -> AsyncIterator[Any]:
        """Remember the call; give the items of its one answer, wrapped or not."""
        for item in items_of(self._answer(method, params)):
            yield item

    async def batch(
        self,
        commands: Mapping[str, tuple[str, Mapping[str, Any]]],
        *,
        halt: bool = False,
        return_errors: bool = False,
    ) -> dict[str, Any]:
        """Answer command by command, references to earlier results resolved."""
        needs_calls(commands)  # raises what a Portal raises
        results: dict[str, Any] = {}
        for name, (method, params) in commands.items():
            if halt and any(isinstance(its, errors.CallError) for its in results.values()):
                said = "an earlier command failed"
                results[name] = errors.PermanentError(method, "NOT_RUN", said)
                continue
            try:
                ran = {
                    earlier: result
                    for earlier, result in results.items()
                    if not isinstance(result, errors.CallError)
                }
                results[name] = self._answer(method, resolve(dict(params), ran))
            except errors.CallError as error:
                if not return_errors:
                    raise
                results[name] = error
        return {name: _kept(commands[name][0], its) for name, its in results.items()}

    def busy(self) -> AbstractContextManager[None]:
        """Hold nothing back."""
        return nullcontext()

    async def settled(self) -> None:
        """Return at once: nothing is ever under way."""

    def _answer(self, method: str, params: dict[str, Any]) -> Any:
        self.calls.append((method, params))
        if method in self._answers:
            answer = self._answers[method]
            answer = answer(**params) if callable(answer) else answer
        elif self._answer_all:
            answer = self._answer_all(method, params)
        else:
            raise AssertionError(f"{method} was called, but this FakePortal has no answer for it")
        if isinstance(answer, Exception):
            raise answer
        return answer


def _kept(method: str, answer: Any) -> Any:
    return answer if is_read(method) else ids_of(answer)


_is_one: type[PortalApi] = FakePortal  # mypy proves it
