"""Incoming and outgoing webhooks as they are made in Developer resources."""

import json
import secrets
import string
from dataclasses import asdict, dataclass, field
from typing import Any

from local.portal.schema import DATA

_NAMES: dict[str, list[str]] = json.loads((DATA / "scopes.json").read_text(encoding="utf-8"))
# What can be ticked; `basic` comes with every webhook [common/system/scope.md]
SCOPES = tuple(_NAMES["simulated"])
# What the scopes of a portal are beside, of which nothing is simulated
OTHER_SCOPES = tuple(_NAMES["others"])
_ALPHABET = string.ascii_lowercase + string.digits


def make_secret(length: int = 16) -> str:
    """Opaque letters and digits, as in a webhook's address."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


@dataclass(slots=True, kw_only=True)
class IncomingWebhook:
    """A secret address; calls run with its owner's rights inside its scopes."""

    id: int
    user: int
    secret: str
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    title: str = ""
    expires: float | None = None
    made_by: int = 0  # whose number the address has, once it was handed over; 0: its user's

    def path(self) -> str:
        """The part of the address that is the credential."""
        return f"/rest/{self.made_by or self.user}/{self.secret}/"

    def may(self, scope: str) -> bool:
        """Whether a method of this scope may be called; `user|user_brief`: any of them."""
        return scope == "basic" or any(one in self.scopes for one in scope.split("|"))

    def to_dict(self) -> dict[str, Any]:
        """As the page shows it, the secret included: it is the creator who looks."""
        return asdict(self) | {"scopes": sorted(self.scopes), "path": self.path()}


@dataclass(slots=True, kw_only=True)
class OutgoingWebhook:
    """A handler that is told of events; one token for all of them, which editing keeps."""

    id: int
    url: str
    token: str
    events: set[str]
    title: str = ""
    active: bool = True
    slow_answers: int = 0  # in a row: the queue service calls a slow handler later

    def wants(self, event: str) -> bool:
        """Whether the event is ticked; an empty set means all of them."""
        return self.active and (not self.events or event in self.events)

    def to_dict(self) -> dict[str, Any]:
        """As the page shows it."""
        return asdict(self) | {"events": sorted(self.events)}
