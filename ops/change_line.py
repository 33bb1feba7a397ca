"""A change as one line for a person."""

from collections.abc import Mapping
from typing import Any

from relay.change import Change
from relay.echo.derived_fields import FOLLOWS
from relay.field_names import plain
from relay.product_rows import PRODUCT_ROWS

SHOWN = 3  # fields on a line
# Fields that follow from a person's edit; they are in the Change, and not shown.
_CONSEQUENCES = set().union(*FOLLOWS.values()) - {"stageid", "opportunity", "contactid"}


def words(change: Change) -> str:
    """Return a change as text: `deal 662 stageId NEW -> WON by user 1, event`."""
    what = change.action
    edited = edited_fields(change)
    if edited:
        what = ", ".join(_field(change, name) for name in edited[:SHOWN])
        more = len(edited) - SHOWN
        what += f" and {more} more" if more > 0 else ""
    if change.passed and (len(change.passed) > 1 or "stageId" not in change.changed):
        what += f", passed {', '.join(change.passed[:SHOWN])}"
    user = change.after.get("updatedBy") or change.after.get("changedBy")
    by = f" by user {user}" if user else ""
    source = change.via if change.origin == "portal" else f"{change.via}, written by a reaction"
    return f"{change.entity} {change.id} {what}{by}, {source}"


def edited_fields(change: Change) -> list[str]:
    """Return the fields that a person edited; of an added item none: all of them are new."""
    if change.action != "updated":
        return []
    edited = [name for name in change.changed if plain(name) not in _CONSEQUENCES]
    return edited or list(change.changed)


def _field(change: Change, name: str) -> str:
    if name == PRODUCT_ROWS and name not in change.truncated:
        rows = change.row_changes
        return f"{name} +{len(rows.added)} ~{len(rows.changed)} -{len(rows.removed)}"
    return f"{name} {_short(change.before, name)} -> {_short(change.after, name)}"


def _short(values: Mapping[str, Any], name: str) -> str:
    text = str(values.get(name) if values.get(name) is not None else "-")
    return text if len(text) <= 30 else text[:29] + "…"  # noqa: PLR2004  fits a line of 80
