"""What the admin API tells the strip, and what the strip shows."""

from typing import Any

from local.portal.admin_actions import action
from local.portal.portal import Portal
from local.portal.table import Row


@action("POST", "steps")
def steps(portal: Portal, given: Row) -> Any:
    """Tell the strip what the relay did: one JSON object a line, or a list, or one object."""
    rows = given.get("lines", [given])
    for row in rows:
        if isinstance(row, dict):
            portal.strip.step(row)
    return {"taken": len(rows)}


@action("POST", "notice")
def notice(portal: Portal, given: Row) -> Any:
    """Tell the page what became of saved code: text, lines (a traceback), bad."""
    portal.strip.tell(
        str(given["text"]),
        [str(line) for line in given.get("lines", ())],
        bad=bool(given.get("bad", False)),
    )
    return {"told": True}


@action("GET", "strip")
def strip(portal: Portal, given: Row) -> Any:
    """The strip's rows as they are now."""
    return list(portal.strip.rows.values())[-int(given.get("limit", 100)) :]
