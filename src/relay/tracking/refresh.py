"""Hints of one portal -> its items as they are now -> the mirror. The only writer of the mirror.

DESIGN 3.1 is the specification: base, read, put; one more reading after a conflict at most.
"""

import asyncio
import time
from collections.abc import Mapping

from relay.errors import GoneTypeError, HeldError, TransientError
from relay.kinds import ACTIVITY, TASK, kind_of
from relay.portal import PortalApi
from relay.portal.api import Result
from relay.tracking.commands import RESULT_FIELDS
from relay.tracking.hint import Hint
from relay.tracking.mirror import Mirror, needs_another_reading
from relay.tracking.part_read import PartView, Rules, fetch_parts
from relay.tracking.parts import RESULTS, STEPS
from relay.tracking.portal_read import PortalView, Views, fetch_items
from relay.tracking.projection import (
    Form,
    canonical_json,
    fit,
    is_template,
    links,
    names_digest,
    project,
)
from relay.tracking.row import (
    CONTENT_BYTES,
    ITEM,
    TOMBSTONE,
    UNREADABLE,
    Key,
    Row,
    RowHead,
    new_birth,
)
from relay.tracking.steps import to_text

# Enough, except for an ADD event beside others: after a second conflict its hint comes back.
READINGS = 2


async def refresh_items(
    hints: Mapping[Key, Hint], portal: PortalApi, mirror: Mirror, rules: Rules
) -> dict[Key, Exception]:
    """Bring the mirror up to date; returns the items that could not be, each with its error."""
    bases = await mirror.bases(list(hints))
    failed = {key: base for key, base in bases.items() if isinstance(base, Exception)}
    pending = {key: base for key, base in bases.items() if isinstance(base, RowHead)}
    first = dict(pending)
    for _ in range(READINGS):
        if not pending:
            break
        rows = await _read(hints, pending, portal, rules, failed)
        pending = {}
        for row, outcome in zip(rows, await mirror.put(rows), strict=True):
            added = hints[row.key].added
            if isinstance(outcome, Exception):
                failed[row.key] = outcome
            elif outcome and needs_another_reading(outcome, first[row.key].seq, row, added=added):
                pending[row.key] = outcome
    conflict = TransientError("track", "CONFLICT", "written by others meanwhile")
    return failed | dict.fromkeys(pending, conflict)


async def _read(
    hints: Mapping[Key, Hint],
    pending: Mapping[Key, RowHead],
    portal: PortalApi,
    rules: Rules,
    failed: dict[Key, Exception],
) -> list[Row]:
    """Read the items into rows; an item that can't be read or must wait goes into `failed`."""
    why = "no longer listed; its event may be on the way"
    early = TransientError("track", "ABSENT", why, retry_after=rules.grace_seconds)
    absent: Views = {}
    for key, base in pending.items():
        if hints[key].deleted:
            absent[key] = PortalView(TOMBSTONE, None, time.time())
        elif rules.grace_seconds and _is_early(key, base) and not hints[key].received_before:
            absent[key] = early
    views, parts = await asyncio.gather(
        fetch_items(portal, pending, absent),
        fetch_parts(portal, pending, lambda key: _is_added(hints[key], pending[key], rules), rules),
    )
    await _hold(views, pending, rules)
    rows = []
    for key, view in views.items():
        part = parts[key]
        if isinstance(view, Exception):
            if not isinstance(view, GoneTypeError):
                failed[key] = view
        elif view.item is None:
            rows.append(_row(hints[key], pending[key], view, PartView(), rules))
        elif isinstance(part, Exception):
            failed[key] = part  # a part that was not read is never announced as empty
        elif not is_template(view.item):
            rows.append(_row(hints[key], pending[key], view, part, rules))
    lost = [row for row in rows if row.kind == UNREADABLE]
    rules.count("unreadable", sum(pending[row.key].kind != UNREADABLE for row in lost))
    rules.count("gone_type", sum(isinstance(view, GoneTypeError) for view in views.values()))
    return rows


def _is_early(key: Key, base: RowHead) -> bool:
    """Say whether an absence can mean that the event of a deletion is on its way."""
    # Without a row `crm.item.get` tells what is deleted; the get of these kinds does not.
    return base.kind != TOMBSTONE or (not base.seq and key.entity in {TASK, ACTIVITY})


async def _hold(views: Views, pending: Mapping[Key, RowHead], rules: Rules) -> None:
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


def _is_quiet(hint: Hint, rules: Rules) -> bool:
    """Say whether an item is not announced if this is its first row."""
    return not hint.added and (hint.baseline or not rules.document.is_baselined(hint.key.entity))


def _is_added(hint: Hint, base: RowHead, rules: Rules) -> bool:
    """Say whether an item would be announced as added."""
    return base.kind == TOMBSTONE and (base.seq > 0 or not _is_quiet(hint, rules))


def _row(hint: Hint, base: RowHead, view: PortalView, part: PartView, rules: Rules) -> Row:
    """Return the row that follows from the view of an item."""
    entity = hint.key.entity
    text = updated = names = extra = linked = ""
    read = part.read
    # What is switched off is forgotten: the first reading after it is switched on is quiet.
    log = base.step_log if STEPS in rules.setting.of(entity) else None
    if view.item is not None:
        log = part.step_log
        rules.count("parts_unread", part.refused)
        form = project(entity, view.item)
        read |= {RESULTS} if form.keys() & RESULT_FIELDS else set()
        updated = str(form.get(kind_of(entity).updated_field, ""))
        room = CONTENT_BYTES - len(to_text(part.steps).encode())
        text, extra = _fit(form, part.fields, room)
        names, linked = names_digest(view.item), links(view.item)
    # A deleted item that can't be read stays deleted: its event is late, or it is added once seen.
    stays_deleted = base.seq and base.kind == TOMBSTONE and view.kind == UNREADABLE
    kind = TOMBSTONE if stays_deleted else view.kind
    # A re-read after a conflict has a state before it: its difference counts.
    first_sight = _is_quiet(hint, rules) and not base.seq
    added_now = base.open and hint.added and kind == ITEM
    return Row(
        key=hint.key,
        seq=base.seq + 1,
        born=base.born or new_birth(),
        kind=kind,
        open=(base.open or first_sight) and kind != TOMBSTONE,
        added_now=added_now,
        first_sight=first_sight,
        text=text,
        updated=updated,
        read_at=view.read_at,
        via=hint.via,
        names=names,
        zone=rules.document.zone,
        parts=read,
        extra=extra,
        row_count=part.row_count,
        links=linked,
        steps=tuple(part.steps),
        step_log=log,
    )


def _fit(form: Form, extra: Mapping[str, Result], limit: int) -> tuple[str, str]:
    """Return an item's own fields and those of its parts as texts, of `limit` bytes together."""
    if not extra:
        return fit(form, limit)[1], ""
    whole, _ = fit({**form, **extra}, limit)
    own = {name: value for name, value in whole.items() if name not in extra}
    return canonical_json(own), canonical_json({name: whole[name] for name in extra})
