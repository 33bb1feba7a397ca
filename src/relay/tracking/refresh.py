"""Hints of one portal -> its items as they are now -> the mirror. The only writer of the mirror.

DESIGN 3.1 is the specification: base, read, put; one more reading after a conflict at most.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from relay.errors import AbsentError, GoneTypeError, HeldError, TransientError
from relay.kinds import kind_of
from relay.portal import PortalApi
from relay.tracking.hint import Hint
from relay.tracking.mirror import Mirror, needs_another_reading
from relay.tracking.portal_read import PortalView, Views, fetch_items
from relay.tracking.projection import fit, is_template, names_digest, project
from relay.tracking.row import CONTENT_BYTES, TOMBSTONE, UNREADABLE, Base, Key, Reading

# Enough, except for an ADD event beside others: after a second conflict its hint comes back.
READINGS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that a refresh depends on beside the hints."""

    is_baselined: Callable[[str], bool]  # whether the first filling of a kind is complete
    allow: Callable[[int], int]  # of so many that vanished without an event, how many may be put
    grace_seconds: float = 0  # a vanished item is left to its event for so long
    count: Callable[[str, int], None] = lambda _metric, _number: None


async def refresh_items(
    hints: Mapping[Key, Hint], portal: PortalApi, mirror: Mirror, rules: Rules
) -> dict[Key, Exception]:
    """Bring the mirror up to date; returns the items that could not be, each with its error."""
    bases = await mirror.bases(list(hints))
    failed = {key: base for key, base in bases.items() if isinstance(base, Exception)}
    pending = {key: base for key, base in bases.items() if isinstance(base, Base)}
    first = dict(pending)
    for _ in range(READINGS):
        if not pending:
            break
        readings = await _read(hints, pending, portal, rules, failed)
        outcomes = await mirror.put([(reading, pending[reading.key]) for reading in readings])
        pending = {}
        for reading, outcome in zip(readings, outcomes, strict=True):
            if isinstance(outcome, Exception):
                failed[reading.key] = outcome
            elif outcome and needs_another_reading(outcome, first[reading.key].seq, reading):
                pending[reading.key] = outcome.base
    conflict = TransientError("track", "CONFLICT", "written by others meanwhile")
    return failed | dict.fromkeys(pending, conflict)


async def _read(
    hints: Mapping[Key, Hint],
    pending: Mapping[Key, Base],
    portal: PortalApi,
    rules: Rules,
    failed: dict[Key, Exception],
) -> list[Reading]:
    """Read the items; an item that can't be read or must wait goes into `failed`."""
    deleted = {key for key in pending if hints[key].deleted}
    early = {
        key
        for key, base in pending.items()
        if rules.grace_seconds and base.kind != TOMBSTONE and not hints[key].received_before
    }
    views = await fetch_items(portal, pending, deleted, early)
    await _hold(views, pending, rules)
    readings = []
    for key, view in views.items():
        if isinstance(view, PortalView):
            if view.item is None or not is_template(view.item):
                readings.append(_reading(hints[key], view, rules))
        elif isinstance(view, AbsentError):
            wait = rules.grace_seconds
            failed[key] = TransientError("track", "ABSENT", str(view), retry_after=wait)
        elif not isinstance(view, GoneTypeError):
            failed[key] = view
    lost = [reading for reading in readings if reading.kind == UNREADABLE]
    rules.count("unreadable", sum(pending[one.key].kind != UNREADABLE for one in lost))
    rules.count("gone_type", sum(isinstance(view, GoneTypeError) for view in views.values()))
    return readings


async def _hold(views: Views, pending: Mapping[Key, Base], rules: Rules) -> None:
    """Replace the deletions that no event reported and that may not be put now by HeldError."""
    vanished = [
        key
        for key, view in views.items()
        if isinstance(view, PortalView) and not view.confirmed and pending[key].kind != TOMBSTONE
    ]
    allowed = await asyncio.to_thread(rules.allow, len(vanished)) if vanished else 0
    for key in vanished[allowed:]:
        views[key] = HeldError(
            "too many items vanished; check that they are deleted, `make release`"
        )
    rules.count("held", len(vanished[allowed:]))


def _reading(hint: Hint, view: PortalView, rules: Rules) -> Reading:
    """Return the view of an item in the form that the mirror stores."""
    entity = hint.key.entity
    text = updated = names = ""
    if view.item is not None:
        form = project(entity, view.item)
        updated = str(form.get(kind_of(entity).updated_field, ""))
        text = fit(form, CONTENT_BYTES)[1]
        names = names_digest(view.item)
    return Reading(
        key=hint.key,
        kind=view.kind,
        text=text,
        updated=updated,
        read_at=view.read_at,
        via=hint.via,
        added=hint.added,
        quiet=not hint.added and (hint.baseline or not rules.is_baselined(entity)),
        names=names,
    )
