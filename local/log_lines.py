"""A log line of a function -> a line for the terminal, and steps for the page.

Reactions log any text, and quote messages of others, so no text is trusted.
"""

from datetime import datetime
from typing import Any

from local.trace import Frame, frames_of_log, lines
from ops.printed import own_words
from ops.terminal import shown

_RELAY = ("ingress", "republish", "track", "sweep", "announce", "forward")  # no reactions


def clock(line: dict[str, Any]) -> str:
    """Return a log line's time of day."""
    return str(line.get("timestamp", ""))[11:19].ljust(8)


def words(line: dict[str, Any]) -> str | None:
    """Return a log line as rich's markup; None for a line that is not shown."""
    service = str(line.get("service"))
    color, text = ("blue", str(line["message"])) if line.get("printed") else _relays_words(line)
    if not text and service not in {"None", "journal", *_RELAY}:
        color, text = "blue", own_words(line)
    return f"[{color}]{shown(service)}[/] {shown(text)}" if color else shown(text) or None


def _relays_words(line: dict[str, Any]) -> tuple[str, str]:
    """Return color and text of a line of the relay's code; no text for one that is not shown."""
    service, message = line.get("service"), line["message"]
    reason = str(line.get("reason") or line.get("because"))
    if not isinstance(message, str):
        return "", ""
    if service == "journal" and "payload" in line:
        return "", f"{message}  {line.get('entity') or ''} {line.get('item_id') or ''}".rstrip()
    if message == "handled" and service != "journal":
        return "green", f"handled {line.get('event_id') or line.get('change_id')}"
    if message in {"dead-lettered", "comes back"}:
        error = str(line.get("error") or "")
        said = ": ".join(part for part in (error, reason) if part and part != "None")
        return "red", f"{message}: {said}{' (make dead)' if message == 'dead-lettered' else ''}"
    if message in {"refused", "spilled", "lost", "waiting"} and service in _RELAY:
        return "yellow", f"{message}: {reason}"
    return "", ""


def traceback_of(line: dict[str, Any]) -> list[str]:
    """Return the lines of a reaction's traceback, its own code first; none without an error."""
    frames = frames_of_log(line)
    if not frames and isinstance(line.get("at"), str):
        file, _, number = line["at"].rpartition(":")
        frames = [Frame.of(f"/{file}", number, "", "")]
    return lines(frames)


def steps(line: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of the page's strip (local/portal/README.md) in a log line."""
    service, message = line.get("service"), line["message"]
    if line.get("printed"):
        return []
    names: tuple[str, ...] = ()
    detail: dict[str, Any] = {"by": service}
    if message == "published":
        names = ("verified", "published")
    elif message == "handled" and service != "journal":
        names = ("reacted",)
    elif message in ("comes back", "dead-lettered") and service not in _RELAY:
        names = ("reacted",)
        detail["error"] = f"{message}: {line.get('error') or ''} {line.get('reason') or ''}"
        detail["at"] = next(iter(traceback_of(line)), "")
    try:
        at = datetime.strptime(line["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
    except (KeyError, TypeError, ValueError):
        return []
    unique_id = line.get("event_id") or line.get("change_id")
    about = {"event_id": unique_id, "subject": line.get("subject"), "time": at}
    if "event_name" in line:
        about["event"] = line["event_name"]
    return [{"step": name, **about, "detail": detail} for name in names]
