"""The names of portals -> clients, made from stored webhook URLs and the stack's settings."""

from collections.abc import Callable

from relay import settings
from relay.portal import Portal, Webhook
from relay.portal.shared_slots import SharedSlots
from relay.portal.slots import Pace, Slots


class PortalClients:
    """The clients of one function, each made when its portal is first used.

    `kind` is the webhook's, `read` or `write`. All copies of all functions share one limit for the
    requests to a portal, kept in the State table. Tests pass `webhook_url`, a function of kind and
    portal, and `slots`, a function of the portal.
    """

    def __init__(
        self,
        kind: str,
        remaining_seconds: Callable[[], float],
        *,
        webhook_url: Callable[[str, str], str] | None = None,
        slots: Callable[[str], Slots] | None = None,
    ) -> None:
        self._kind = kind
        self._remaining_seconds = remaining_seconds
        self._webhook_url = webhook_url
        self._slots = slots
        self._clients: dict[str, tuple[str, Portal]] = {}  # by portal, with the webhook's URL

    def last(self, name: str) -> Portal | None:
        """Return a portal's client as last made, without reading secrets; None before `get`."""
        return self._clients[name][1] if name in self._clients else None

    def get(self, name: str) -> Portal:
        """Return a portal's client; a changed webhook URL makes a new one.

        Raises ConfigurationError if no URL is stored, botocore's errors if SSM fails.
        """
        url = (self._webhook_url or settings.webhook_url)(self._kind, name)
        if name not in self._clients or self._clients[name][0] != url:
            slots = (self._slots or shared_slots)(name)
            self._clients[name] = url, make_client(url, slots, self._remaining_seconds)
        return self._clients[name][1]


def make_client(url: str, slots: Slots, remaining_seconds: Callable[[], float]) -> Portal:
    """Return a client of the portal that a webhook's URL leads to."""
    webhook = Webhook.parse(url, allow_http=settings.flag("ALLOW_HTTP"))
    return Portal(webhook, remaining_seconds=remaining_seconds, slots=slots)


def shared_slots(name: str) -> SharedSlots:
    """Return the slots of a portal that all functions of the stack share."""
    (table,) = settings.read("STATE_TABLE")
    return SharedSlots(settings.client("dynamodb"), table, name, stack_pace())


def stack_pace() -> Pace:
    """Return the pace that the template's parameters set for every function of the stack."""
    burst, rate, reserve = settings.read("PORTAL_BURST", "PORTAL_RATE", "PORTAL_RESERVE_PERCENT")
    return Pace(burst=float(burst), rate=float(rate), reserve=float(reserve) / 100)
