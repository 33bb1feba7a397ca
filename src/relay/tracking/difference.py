"""Two images of a row -> the Change that lies between them, if there is one. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from relay.change import Change, is_volatile
from relay.kinds import kind_of
from relay.product_rows import PRODUCT_ROWS, same_rows
from relay.tracking.clock_change import has_only_moved, shift_between
from relay.tracking.parts import PART_OF_FIELD, STEPS
from relay.tracking.portal_fields import is_the_portals
from relay.tracking.projection import DIGEST, Form, canonical_json, digest, is_digest, upgrade
from relay.tracking.reused_ids import is_another_item
from relay.tracking.row import UNREADABLE, Row
from relay.tracking.steps import MOST_STEPS
from relay.tracking.user_fields import with_names_of

# A whole Change, as SNS counts it. SNS's default limit, and the local AWS's only one, is 256 KiB.
CHANGE_BYTES = 256_000
STEP_BYTES = 500  # that a step takes at most
ENVELOPE_BYTES = 4_000
REST = "*"  # stands for the names in `changed` and `truncated` that do not fit either


def change_of(old: Row | None, new: Row) -> Change | None:
    """Return the Change to be announced; raises NewerFormatError for rows of newer code."""
    # An item that was unreadable while the mirror was filled may be as old as any; later it is new.
    # A row that becomes unreadable keeps its content.
    blind = old is not None and old.kind == UNREADABLE and old.first_sight and not old.text
    after = new.form
    # An item whose first row was not announced is announced by its ADD event, with all its fields.
    before = old.form if old and not new.added_now else None
    if new.first_sight or new.kind == UNREADABLE or (blind and not new.added_now):
        return None
    if before is not None and after is not None and old is not None:
        before = upgrade(before, old.format, after, new.format)
        if is_another_item(before, after, old, new):
            return _change(old, new, "added", {}, after, difference({}, after))
        names_differ = bool(old.names and new.names and old.names != new.names)
        if names_differ:
            before = with_names_of(after, before)
        changed = difference(before, after)
        if names_differ:
            changed = [n for n in changed if not is_the_portals(n, before, after, old, new)]
        changed = [name for name in changed if _is_in_both(name, old, new)]
        shift = shift_between(new.key.entity, before, after, _clock_change(old, new))
        if any(shift):
            changed = [n for n in changed if not has_only_moved(before.get(n), after.get(n), shift)]
        if changed or new.steps:
            after |= {name: None for name in changed if name not in after}
            return _change(old, new, "updated", {n: before.get(n) for n in changed}, after, changed)
    elif after is not None:
        return _change(old, new, "added", {}, after, difference({}, after))
    elif before is not None:
        return _change(old, new, "deleted", before, {}, [])
    return None


def difference(before: Form, after: Form) -> list[str]:
    """Return the names of the fields that differ and are not volatile."""
    return [
        name
        for name in sorted(before.keys() | after.keys())
        if not _is_equal(name, before.get(name), after.get(name)) and not is_volatile(name)
    ]


def _is_equal(name: str, one: object, other: object) -> bool:
    """Say whether two values of a field are the same; product rows are, with other ids."""
    return _same(one, other) or (name == PRODUCT_ROWS and same_rows(one, other))


def _same(one: object, other: object) -> bool:
    """Compare two values; a value that was too large is compared by its digest."""
    if one == other:  # nearly all are
        return isinstance(one, bool) == isinstance(other, bool)
    return is_digest(one) != is_digest(other) and bool(digest(one) == digest(other))


def _is_in_both(name: str, old: Row, new: Row) -> bool:
    """Say whether a field was read for both versions; a part may be off, refused, or new."""
    part = PART_OF_FIELD.get(name)
    return part is None or (part in old.parts and part in new.parts)


def _clock_change(old: Row, new: Row) -> timedelta:
    """Return by how much the offset of the portal's server changed; nothing where it is unknown."""
    if old.zone is None or new.zone is None:
        return timedelta()
    return timedelta(seconds=new.zone - old.zone)


def _change(  # noqa: PLR0913, PLR0917  two versions, and what was made of them
    old: Row | None, row: Row, action: str, before: Form, after: Form, changed: list[str]
) -> Change:
    key = row.key
    change = Change(
        change_id=f"{key.portal}.{key.entity}.{key.id}.{row.born}.{row.seq}",
        portal=key.portal,
        entity=key.entity,
        entity_type_id=kind_of(key.entity).entity_type_id,
        id=str(key.id),
        action=action,
        version=row.seq,
        time=datetime.fromtimestamp(row.read_at, UTC).isoformat(timespec="milliseconds"),
        via=row.via,
        changed=tuple(changed),
        before=before,
        after=after,
        steps=tuple(step.to_json() for step in row.steps),
        passed=tuple(dict.fromkeys(step.stage for step in row.steps)),
        truncated=(STEPS,) if len(row.steps) == MOST_STEPS else (),
    )
    return change if _is_small(old, row) else fit_message(change)


def _is_small(old: Row | None, new: Row) -> bool:
    """Say whether a Change of these versions fits into a message for certain."""
    texts = [new.text, new.extra, *((old.text, old.extra) if old else ())]
    # Each letter has at most four bytes, and each name may stand in `changed` once more.
    most = 2 * 4 * sum(map(len, texts)) + STEP_BYTES * len(new.steps) + ENVELOPE_BYTES
    return most <= CHANGE_BYTES and not any(DIGEST in text for text in texts)


def fit_message(change: Change) -> Change:
    """Return a Change that one message holds: its largest fields are left out, and named.

    A value that the mirror could not hold is left out in any case. `changed` stays whole while
    the names alone leave room, as filters look into it. Only beyond some 2,000 long names all
    fields are left out, and both lists end where they must, in `*`.
    """
    before, after = change.before, change.after
    names = before.keys() | after.keys()
    left_out = {n for n in names if is_digest(before.get(n)) or is_digest(after.get(n))}
    if not left_out and _bytes(change) <= CHANGE_BYTES:
        return change
    sizes = {name: _field_bytes(before, name) + _field_bytes(after, name) for name in names}
    if change.steps:
        names |= {STEPS}
        sizes[STEPS] = _field_bytes({STEPS: change.steps}, STEPS)
    bare = replace(change, before={}, after={}, steps=(), truncated=(REST,))
    total = _bytes(bare) + sum(
        _name_bytes(name) if name in left_out else sizes[name] for name in names
    )
    for name in sorted(names - left_out, key=lambda name: (-sizes[name], name)):
        if total <= CHANGE_BYTES:
            break
        left_out.add(name)
        total -= sizes[name] - _name_bytes(name)
    if total <= CHANGE_BYTES:
        return replace(
            change,
            before=_without(before, left_out),
            after=_without(after, left_out),
            steps=() if STEPS in left_out else change.steps,
            truncated=tuple(sorted(left_out | set(change.truncated))),
        )
    room = CHANGE_BYTES - _bytes(replace(bare, changed=(REST,)))
    changed = tuple(_upto(room, change.changed))
    return replace(bare, changed=changed if changed == change.changed else (*changed, REST))


def _bytes(change: Change) -> int:
    return len(change.to_json().encode())


def _field_bytes(form: Mapping[str, object], name: str) -> int:
    """Return the bytes of a field in a message; the braces are no less than its comma."""
    return len(canonical_json({name: form[name]}).encode()) if name in form else 0


def _name_bytes(name: str) -> int:
    return len(json.dumps(name, ensure_ascii=False).encode()) + 1


def _without(form: Mapping[str, object], left_out: set[str]) -> Form:
    return {name: value for name, value in form.items() if name not in left_out}


def _upto(room: int, names: Sequence[str]) -> Iterator[str]:
    """Yield the first names that together take at most `room` bytes."""
    for name in names:
        room -= _name_bytes(name)
        if room < 0:
            return
        yield name
