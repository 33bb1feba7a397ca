"""Ids that a portal gave twice: after it was restored from a backup, or counts anew. Pure."""

from datetime import datetime, timedelta

from relay.kinds import kind_of
from relay.portal.api import Result
from relay.tracking.projection import Form
from relay.tracking.row import Row

_CLOCKS = timedelta(hours=1)  # that the portal's clock may be ahead of ours


def is_another_item(before: Form, after: Form, old: Row, new: Row) -> bool:
    """Say whether an item was created after another with its id was read."""
    name = kind_of(new.key.entity).created_field
    created = _time(after.get(name))
    # A server whose zone changes tells all times otherwise.
    if created is None or before.get(name) in {None, after[name]} or old.zone != new.zone:
        return False
    return created > old.read_at + _CLOCKS.total_seconds()


def _time(value: Result) -> float | None:
    """Return a time in seconds since 1970, None where the value is none."""
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
