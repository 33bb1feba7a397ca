"""Two images of a row -> the Change that lies between them, if there is one. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from relay.change import Change, Fields
from relay.tracking.kinds import entity_type_id
from relay.tracking.projection import Form, canonical_json, difference, is_digest, upgrade
from relay.tracking.row import UNREADABLE, Row

# SNS's default limit is 256 KiB, and the local AWS knows no other; the envelope is below 4 KiB.
CHANGE_BYTES = 240_000


def change_of(old: Row | None, new: Row) -> Change | None:
    """Return what is to be announced; raises NewerFormatError for rows of newer code."""
    # The stream's filter drops what is quiet; an item that was unreadable when it was first
    # seen has no before either, and a row that becomes unreadable keeps what is known.
    blind = old is not None and old.kind == UNREADABLE and not old.text
    after = new.form
    before = old.form if old else None
    if new.quiet or blind or new.kind == UNREADABLE:
        return None
    if before is not None and after is not None and old is not None:
        before = upgrade(before, old.format, after, new.format)
        changed = difference(before, after)
        if changed:
            return _change(new, "updated", before, after, changed)
    elif after is not None:
        return _change(new, "added", {}, after, [])
    elif before is not None:
        return _change(new, "deleted", before, {}, [])
    return None


def _change(row: Row, action: str, before: Form, after: Form, changed: list[str]) -> Change:
    if changed:
        before = {name: before.get(name) for name in changed}
        after = after | {name: after.get(name) for name in changed}
    before, after, truncated = _fit(before, after)
    key = row.key
    return Change(
        change_id=f"{key.portal}.{key.entity}.{key.id}.{row.born}.{row.seq}",
        portal=key.portal,
        entity=key.entity,
        entity_type_id=entity_type_id(key.entity),
        id=str(key.id),
        action=action,
        version=row.seq,
        time=datetime.fromtimestamp(row.read_at, UTC).isoformat(timespec="milliseconds"),
        via=row.via,
        changed=tuple(changed),
        before=Fields(before),
        after=Fields(after),
        truncated=truncated,
    )


def _fit(before: Form, after: Form) -> tuple[Form, Form, tuple[str, ...]]:
    """Return both without what does not fit: what the mirror could not hold, then the largest."""
    names = before.keys() | after.keys()
    sizes = {name: _bytes(before, name) + _bytes(after, name) for name in names}
    left_out = {n for n in names if is_digest(before.get(n)) or is_digest(after.get(n))}
    total = sum(sizes[name] for name in names - left_out)
    for name in sorted(names - left_out, key=lambda name: (-sizes[name], name)):
        if total <= CHANGE_BYTES:
            break
        left_out.add(name)
        total -= sizes[name]
    return (
        {name: value for name, value in before.items() if name not in left_out},
        {name: value for name, value in after.items() if name not in left_out},
        tuple(sorted(left_out)),
    )


def _bytes(form: Mapping[str, Any], name: str) -> int:
    return len(canonical_json({name: form[name]}).encode()) if name in form else 0
