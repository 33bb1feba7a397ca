"""Was a portal ever connected? A sweep leaves how far it got, also after `make disconnect`."""

from typing import Any

from ops.deployed import Deployed
from relay.tracking.sweep_state import SweepState


def was_swept(dynamodb: Any, stack: Deployed, portal: str) -> bool:
    """Return whether a portal's items were ever listed."""
    return bool(SweepState(dynamodb, stack.resource("StateTable")).read(portal).kinds)


def check_swept(dynamodb: Any, stack: Deployed, portal: str) -> None:
    """Exit where no portal of this name was ever swept."""
    if not was_swept(dynamodb, stack, portal):
        raise SystemExit(
            f"no portal {portal!r} was ever swept in stack {stack.name}; `make portals` lists the "
            "connected ones"
        )
