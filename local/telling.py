"""A log line of a function -> what a person is told, and the steps that the page shows."""

from datetime import datetime
from typing import Any


def words(line: dict[str, Any]) -> str | None:
    """Return one log line in a person's words; None for what they need not see."""
    service, message = line.get("service"), line["message"]
    if service == "journal" and "payload" in line:
        return f"{message}  {line.get('entity') or ''} {line.get('item_id') or ''}".rstrip()
    if message == "handled" and service != "journal":
        return f"[green]{service}[/] handled {line.get('event_id') or line['change_id']}"
    if message in {"dead-lettered", "comes back"}:
        return f"[red]{service}[/] {message}: {line['reason']}"
    if message in {"refused", "spilled", "lost", "waiting"}:
        return f"[yellow]{service}[/] {message}: {line.get('reason') or line.get('because')}"
    return None


def steps(line: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of an event's way (local/portal/README.md) that a log line tells of."""
    service, message = line.get("service"), line["message"]
    names: tuple[str, ...] = ()
    if message == "published":
        names = ("verified", "published")
    elif message == "handled" and service != "journal":
        names = ("reacted",)
    at = datetime.strptime(line["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
    its_id = line.get("event_id") or line.get("change_id")
    about = {"event_id": its_id, "subject": line.get("subject"), "time": at}
    return [{"step": name, **about, "detail": {"by": service}} for name in names]
