"""The portals that a function calls, by their names: secrets and settings -> clients."""

from collections.abc import Callable

from relay import settings
from relay.portal import Portal, Webhook
from relay.portal.shared_slots import SharedSlots
from relay.portal.slots import Pace


class PortalClients:
    """One function's clients of the portals, each made when it is first asked for.

    `kind` is whose webhook is used: `read` or `write`. All copies of all functions share one limit
    on each portal's requests, kept in the State table.
    """

    def __init__(self, kind: str, remaining_seconds: Callable[[], float]) -> None:
        self._kind = kind
        self._remaining_seconds = remaining_seconds
        self._known: dict[str, tuple[str, Portal]] = {}

    def last(self, name: str) -> Portal | None:
        """Return a portal's client as it was made last, without a look at its secrets."""
        known = self._known.get(name)
        return known[1] if known else None

    def get(self, name: str) -> Portal:
        """Return a portal's client; a changed webhook URL makes a new one.

        Raises ConfigurationError where no URL is stored, botocore's errors where SSM does not
        answer.
        """
        url = settings.webhook_url(self._kind, name)
        known = self._known.get(name)
        if known is None or known[0] != url:
            webhook = Webhook.parse(url, allow_http=settings.flag("ALLOW_HTTP"))
            slots = _slots(name)
            portal = Portal(webhook, remaining_seconds=self._remaining_seconds, slots=slots)
            known = self._known[name] = url, portal
        return known[1]


def _slots(name: str) -> SharedSlots:
    table, burst, rate, reserve = settings.read(
        "STATE_TABLE", "PORTAL_BURST", "PORTAL_RATE", "PORTAL_RESERVE_PERCENT"
    )
    pace = Pace(burst=float(burst), rate=float(rate), reserve=float(reserve) / 100)
    return SharedSlots(settings.client("dynamodb"), table, name, pace)
