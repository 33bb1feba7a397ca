"""A portal for tests: it remembers what it was asked and answers what it was told."""

from collections.abc import Callable, Mapping
from typing import Any

from relay import errors
from relay.portal.answers import error_of


class FakePortal:
    """Stands for a Portal in a test.

    `answers` is a mapping from method to result (a function of the parameters, an exception to
    raise, or the result itself), or one function of method and parameters for all of them.
    `calls` lists what was asked: `[("crm.item.get", {"id": 5}), …]`.
    """

    def __init__(self, answers: Mapping[str, Any] | Callable[..., Any] | None = None) -> None:
        self._answer_all = answers if callable(answers) else None
        self._answers: dict[str, Any] = {} if callable(answers) else dict(answers or {})
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def fail(self, method: str, name: str, description: str = "made to fail") -> None:
        """Let a method raise: by a class of the tree (`TransientError`) or a portal's code."""
        of_tree = getattr(errors, name, None)
        self._answers[method] = (
            of_tree(method, name.upper(), description)
            if isinstance(of_tree, type) and issubclass(of_tree, errors.PortalError)
            else error_of(method, {"error": name, "error_description": description})
        )

    async def call(self, method: str, /, **params: Any) -> Any:
        """Remember the call; return or raise what the test wants."""
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
