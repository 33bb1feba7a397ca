"""What the handlers work with, made of the environment when it is first used."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

from relay import settings
from relay.portal import Portal
from relay.portal_clients import PortalClients
from relay.tracking.brake import Brake
from relay.tracking.event_times import LastEvents
from relay.tracking.mirror import THREADS, Mirror
from relay.tracking.sweep_state import SweepState

RESERVE_SECONDS = 5.0  # of the function's time, kept to put what was read and hand back the rest


def _dynamodb() -> Any:
    return settings.client("dynamodb", read_seconds=5, connections=THREADS)


@cache
def mirror() -> Mirror:
    """Return the table of what is last known."""
    (table,) = settings.read("MIRROR_TABLE")
    return Mirror(_dynamodb(), table)


def _state_table() -> tuple[Any, str]:
    (table,) = settings.read("STATE_TABLE")
    return _dynamodb(), table


@cache
def sweep_state() -> SweepState:
    """Return how far each portal's sweeps are."""
    return SweepState(*_state_table())


@cache
def seen() -> LastEvents:
    """Return which events came when."""
    return LastEvents(*_state_table())


@cache
def brake() -> Brake:
    """Return the count of disappearances."""
    return Brake(*_state_table())


def portal(name: str, remaining_seconds: Callable[[], float]) -> Portal:
    """Return a portal through its reading webhook."""
    return PortalClients("read", remaining_seconds).get(name)


def deadline(context: Any, reserve: float = RESERVE_SECONDS) -> Callable[[], float]:
    """Return the function that says how many seconds there are for calls to a portal."""
    end = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - reserve
    return lambda: max(end - time.monotonic(), 0)


def forget() -> None:
    """Make every part be made anew."""
    for part in (mirror, sweep_state, seen, brake):
        part.cache_clear()
