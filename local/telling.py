"""A log line of a function -> what a person is told, and the steps that the page shows.

A line may be anybody's: a reaction logs what it likes, and quotes what others have published.
"""

from datetime import datetime
from typing import Any

from rich.markup import escape


def clock(line: dict[str, Any]) -> str:
    """Return the time of day of a log line."""
    return str(line.get("timestamp", ""))[11:19].ljust(8)


def words(line: dict[str, Any]) -> str | None:
    """Return a log line in a person's words, as rich's markup; None for what they need not see."""
    service, message = escape(str(line.get("service"))), line["message"]
    reason = escape(str(line.get("reason") or line.get("because")))
    if not isinstance(message, str):
        return None
    if service == "journal" and "payload" in line:
        told = f"{message}  {line.get('entity') or ''} {line.get('item_id') or ''}".rstrip()
        return escape(told)
    if message == "handled" and service != "journal":
        what = escape(str(line.get("event_id") or line.get("change_id")))
        return f"[green]{service}[/] handled {what}"
    if message in {"dead-lettered", "comes back"}:
        return f"[red]{service}[/] {message}: {reason}"
    if message in {"refused", "spilled", "lost", "waiting"}:
        return f"[yellow]{service}[/] {message}: {reason}"
    return None


def steps(line: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of an event's way (local/portal/README.md) that a log line tells of."""
    service, message = line.get("service"), line["message"]
    names: tuple[str, ...] = ()
    if message == "published":
        names = ("verified", "published")
    elif message == "handled" and service != "journal":
        names = ("reacted",)
    try:
        at = datetime.strptime(line["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
    except (KeyError, TypeError, ValueError):
        return []
    its_id = line.get("event_id") or line.get("change_id")
    about = {"event_id": its_id, "subject": line.get("subject"), "time": at}
    return [{"step": name, **about, "detail": {"by": service}} for name in names]
