"""A stored webhook URL and the stack's settings -> a portal's client."""

from collections.abc import Callable

from relay import settings
from relay.portal import Portal, Webhook
from relay.portal.shared_slots import SharedSlots
from relay.portal.slots import Pace, Slots


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
