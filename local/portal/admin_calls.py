"""The log of REST requests, and the strip: what the admin API tells and is told of them."""

from typing import Any

from local.portal.admin_actions import ACTIONS, action
from local.portal.php import int_or_none
from local.portal.portal import Portal
from local.portal.table import Row


@action("GET", "calls")
def calls(portal: Portal, given: Row) -> Any:
    """The newest REST requests, newest first; never with a secret in them.

    `method` is a part of a name (of a batch's command too), `failed` leaves what was refused,
    `subject` what read or wrote an item, `since` what came after a time (Unix seconds).
    """
    part, subject = str(given.get("method", "")).lower(), given.get("subject")
    since, failed = float(given.get("since", 0)), given.get("failed") in {"1", "true", True}
    found = [
        row
        for row in portal.activity.calls
        if row["time"] >= since
        and (not failed or row["status"] >= 400 or row.get("error"))  # noqa: PLR2004  HTTP's own
        and (not subject or subject in row["subjects"])
        and any(part in name.lower() for name in (row["method"], *row.get("names", ())))
    ]
    return found[-int(given.get("limit", 100)) :][::-1]


@action("GET", "call")
def call(portal: Portal, given: Row) -> Any:
    """One request by its number: what was asked and answered, as texts with secrets masked."""
    number = int_or_none(given.get("number")) or 0
    if number not in portal.activity.bodies:
        raise KeyError(f"request {number} any more: the newest 200 are kept")
    asked, answered = portal.activity.bodies[number]
    return {"number": number, "request": asked, "answer": answered}


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


ACTIONS["GET", "strip"] = lambda portal, given: list(portal.strip.rows.values())[
    -int(given.get("limit", 100)) :
]
