"""A portal's state as JSON, in a file."""

import json
from pathlib import Path
from typing import Any

from local.portal.portal import Portal
from local.portal.snapshot import attributes, pack, unpack
from local.portal.table import Row

FORMAT = 1
# They belong to the process: what is under way, how full the bucket is, what the page showed.
_NOT_KEPT = {"outbox", "bucket", "random", "strip"}
_OF_THE_PROCESS = {"calls", "bodies", "last_call"}  # the log of requests


def to_json(portal: Portal) -> Row:
    """All that a portal holds, its webhooks with their secrets too; faults with a time are over."""
    kept = {name: value for name, value in vars(portal).items() if name not in _NOT_KEPT}
    kept["faults"] = [fault for fault in portal.faults if fault.until is None]
    return {"format": FORMAT, "portal": pack(kept | {"activity": _without_calls(portal)})}


def _without_calls(portal: Portal) -> Row:
    return {
        name: one
        for name, one in attributes(portal.activity).items()
        if name not in _OF_THE_PROCESS
    }


def from_json(portal: Portal, saved: Any) -> None:
    """Put a portal into a saved state; ValueError where the file is another one."""
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise ValueError(f"this is no saved state of a portal, or not of format {FORMAT}")
    kept = unpack(saved.get("portal"))
    activity = kept.pop("activity", None) if isinstance(kept, dict) else None
    current = vars(portal), attributes(portal.activity)
    if activity is None or not (_fits(kept, current[0]) and _fits(activity, current[1])):
        raise ValueError("this state was saved by another version of the portal")
    for name, value in activity.items():
        setattr(portal.activity, name, value)
    vars(portal).update(kept)
    portal.outbox.settings = portal.settings.events
    portal.revision += 1


def _fits(saved: Any, current: Row) -> bool:
    """Whether a state has values of the types that are held now."""
    return isinstance(saved, dict) and all(
        name in current and type(value) is type(current[name]) for name, value in saved.items()
    )


def save(portal: Portal, path: Path) -> None:
    """Write the state to a file that only its owner may read: webhooks' secrets are in it."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(to_json(portal)), encoding="utf-8")
    draft.replace(path)


def load(portal: Portal, path: Path) -> None:
    """Read the state from a file."""
    from_json(portal, json.loads(path.read_text(encoding="utf-8")))
