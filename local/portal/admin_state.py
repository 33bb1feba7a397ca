"""What the admin API can do to all of a portal: hand its state out, and put it back."""

from typing import Any

from local.portal.admin_actions import action
from local.portal.portal import Portal
from local.portal.state import from_json, to_json
from local.portal.table import Row


@action("GET", "state/saved")
def saved(portal: Portal, _given: Row) -> Any:
    """All that the portal holds, webhooks' secrets too: what `--keep` writes to a file."""
    return to_json(portal)


@action("PUT", "state/saved")
def load(portal: Portal, given: Row) -> Any:
    """Go back to a saved state."""
    from_json(portal, given)
    return {"items": sum(len(table) for table in portal.items.values())}
