"""The objects that the handlers of tracking work with, made from the environment on first use."""

import time
from collections.abc import Callable
from functools import cache

from relay import settings
from relay.aws_types import Client, Context
from relay.portal import Portal
from relay.portal.shared_slots import SharedSlots
from relay.portal_clients import make_client, shared_slots
from relay.tracking.brake import Brake
from relay.tracking.event_times import LastEvents
from relay.tracking.mirror import THREADS, Mirror
from relay.tracking.sweep_state import SweepState

RESERVE_SECONDS = 5.0  # of the function's time, to put what was read and hand back the rest


@cache
def mirror() -> Mirror:
    """Return the table with the last known state of all items."""
    return Mirror(*_table("MIRROR_TABLE"))


@cache
def sweep_state() -> SweepState:
    """Return the documents and leases of sweeps."""
    return SweepState(*_table("STATE_TABLE"))


@cache
def last_events() -> LastEvents:
    """Return the times of the last events."""
    return LastEvents(*_table("STATE_TABLE"))


@cache
def brake() -> Brake:
    """Return the counter of deletions without an event."""
    return Brake(*_table("STATE_TABLE"))


def _table(setting: str) -> tuple[Client, str]:
    (table,) = settings.read(setting)
    return settings.client("dynamodb", read_seconds=5, connections=THREADS), table


@cache
def _slots(portal: str) -> SharedSlots:
    """Return the slots of a portal; what they have learned saves a write in each run."""
    return shared_slots(portal)


def portal(name: str, remaining_seconds: Callable[[], float]) -> Portal:
    """Return a client of a portal through its reading webhook."""
    client = make_client(settings.webhook_url("read", name), _slots(name), remaining_seconds)
    mirror().alone = settings.is_alone("read")
    return client


def deadline(context: Context, reserve: float = RESERVE_SECONDS) -> Callable[[], float]:
    """Return a function that returns the seconds left for calls to a portal."""
    end = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - reserve
    return lambda: max(end - time.monotonic(), 0)


def forget() -> None:
    """Drop all objects; tests begin with new ones."""
    for made in (mirror, sweep_state, last_events, brake, _slots):
        made.cache_clear()
