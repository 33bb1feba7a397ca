"""One REST call, and the register of methods."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from local.portal.errors import RestError, missing
from local.portal.items import Actor
from local.portal.php import int_or_none, values_of
from local.portal.portal import Portal
from local.portal.schema import DATA
from local.portal.table import Row
from local.portal.webhooks import IncomingWebhook


@dataclass(slots=True)
class Call:
    """What a method sees. Top-level parameter names are taken without regard to case.

    [crm-deal-list.md and siblings] Documented as `filter`, called with `FILTER`.
    """

    portal: Portal
    webhook: IncomingWebhook
    params: Mapping[str, Any]
    rest: bool = True  # False: a person in the portal does it
    touched: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.params = {str(name).lower(): value for name, value in self.params.items()}

    @property
    def user(self) -> int:
        """The webhook's owner: calls run with his rights and are stamped with his id."""
        return self.webhook.user

    @property
    def actor(self) -> Actor:
        """The owner, as who changes items."""
        return Actor(self.webhook.user, rest=self.rest)

    def get(self, *names: str, default: Any = None) -> Any:
        """The first parameter that is there."""
        return next((self.params[name] for name in names if name in self.params), default)

    def need(self, name: str) -> Any:
        """A parameter without which nothing goes: code 100."""
        value = self.params.get(name.lower())
        if value is None:
            raise missing(name)
        return value

    def number(self, *names: str) -> int:
        """An id; 0 where there is none or it isn't one."""
        value = self.get(*names)
        return int_or_none(value) or 0 if not isinstance(value, bool | list | dict) else 0

    def numbers(self, *names: str) -> list[int]:
        """Ids of an array, or one; what is none is left out."""
        return [n for one in values_of(self.get(*names)) if (n := int_or_none(one))]

    def text(self, name: str, default: str = "") -> str:
        """A text; the default where it is empty or not there."""
        return str(self.params.get(name) or default)

    def flag(self, name: str) -> bool:
        """Whether a Y/N or 1/0 parameter is on."""
        return str(self.params.get(name)).lower() in {"y", "1", "true"}

    def wrote(self, subject: str, **detail: Any) -> None:
        """Mark on the strip that something was written back to an item over REST."""
        if self.rest:
            now = self.portal.clock.now()
            self.portal.strip.saw(subject, "written", now, detail)

    def owner(self) -> Row:
        """The record of the webhook's owner."""
        return self.portal.users.get(self.user, {})


@dataclass(frozen=True, slots=True)
class Method:
    """A REST method: its scope, and what runs."""

    name: str
    scope: str
    run: Callable[[Call], Any]
    positional: tuple[str, ...] = ()  # the old task.* bind arguments by their order


METHODS: dict[str, Method] = {}
# Names that Bitrix24 has beside [api-reference/]: 404 here, and the page says why
ELSEWHERE = frozenset((DATA / "elsewhere.txt").read_text(encoding="utf-8").split())
_Run = Callable[[Call], Any]


def method(name: str, scope: str, *, positional: tuple[str, ...] = ()) -> Callable[[_Run], _Run]:
    """Register a function as a REST method; names are matched without regard to case."""

    def register(run: _Run) -> _Run:
        METHODS[name.lower()] = Method(name, scope, run, positional)
        return run

    return register


def methods(scope: str, runs: Mapping[str, _Run]) -> None:
    """Register functions as REST methods, by their names."""
    for name, run in runs.items():
        method(name, scope)(run)


def intranet_only(call: Call) -> None:
    """Refuse owners who are guests."""
    if call.owner().get("external"):
        raise RestError(
            "allowed_only_intranet_user",
            "Action is allowed only for intranet users",
            HTTPStatus.FORBIDDEN,
        )
