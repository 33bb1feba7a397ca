"""Hints of one portal -> its items as they are now -> the mirror. The only reader and writer.

DESIGN 3.1 is the specification: base, read, put; at most one more reading after a conflict.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from relay.errors import AbsentError, GoneTypeError, HeldError, TransientError
from relay.kinds import kind_of
from relay.portal import PortalApi
from relay.tracking.hint import Hint
from relay.tracking.mirror import Mirror, verdict
from relay.tracking.portal_read import PortalView, read
from relay.tracking.projection import fit, is_template, names_digest, project
from relay.tracking.row import CONTENT_BYTES, TOMBSTONE, UNREADABLE, Base, Key, Reading

LOOKS = 2  # enough, but for an ADD event among others: after a second conflict its hint returns


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What tracking a portal depends on beside the hints.

    `baselined` says whether a kind's first filling is complete, `allow` how many of so many
    unannounced disappearances may be put now, `grace_seconds` how long such a one is left to its
    event first. `count` takes `unreadable`, `held` and `gone_type`.
    """

    baselined: Callable[[str], bool]
    allow: Callable[[int], int]
    grace_seconds: float = 0
    count: Callable[[str, int], None] = lambda _name, _number: None


async def look(
    hints: Mapping[Key, Hint], portal: PortalApi, mirror: Mirror, rules: Rules
) -> dict[Key, Exception]:
    """Bring the mirror up to date with one portal; returns what could not be done, and why."""
    failed: dict[Key, Exception] = {}
    pending: dict[Key, Base] = {}
    for key, base in (await mirror.bases(list(hints))).items():
        if isinstance(base, Exception):
            failed[key] = base
        else:
            pending[key] = base
    first = dict(pending)
    for _ in range(LOOKS):
        if not pending:
            break
        looks = await _read(hints, pending, portal, rules, failed)
        outcomes = await mirror.put([(look, pending[look.key]) for look in looks])
        pending = {}
        for look, outcome in zip(looks, outcomes, strict=True):
            if isinstance(outcome, Exception):
                failed[look.key] = outcome
            elif outcome and verdict(outcome, first[look.key].seq, look) == "look again":
                pending[look.key] = outcome.base
    again = TransientError("track", "CONFLICT", "written by others meanwhile")
    return failed | dict.fromkeys(pending, again)


async def _read(
    hints: Mapping[Key, Hint],
    pending: Mapping[Key, Base],
    portal: PortalApi,
    rules: Rules,
    failed: dict[Key, Exception],
) -> list[Reading]:
    """Read the items; what can't be read or must wait goes into `failed`."""
    deleted = {key for key in pending if hints[key].deleted}
    early = {
        key
        for key, base in pending.items()
        if rules.grace_seconds and base.kind != TOMBSTONE and not hints[key].again
    }
    seen = await read(portal, pending, deleted, early)
    vanished = [  # of a tombstone it is no news
        key
        for key, one in seen.items()
        if isinstance(one, PortalView) and not one.confirmed and pending[key].kind != TOMBSTONE
    ]
    allowed = await asyncio.to_thread(rules.allow, len(vanished)) if vanished else 0
    for key in vanished[allowed:]:
        seen[key] = HeldError("too many items vanished; see that they are deleted, `make release`")
    rules.count("held", len(vanished[allowed:]))
    rules.count("gone_type", sum(isinstance(one, GoneTypeError) for one in seen.values()))
    looks = []
    for key, one in seen.items():
        if isinstance(one, GoneTypeError):
            continue
        if isinstance(one, AbsentError):
            failed[key] = TransientError(
                "track", "ABSENT", str(one), retry_after=rules.grace_seconds
            )
            continue
        if isinstance(one, Exception):
            failed[key] = one
        elif one.item is None or not is_template(one.item):
            looks.append(_seen(hints[key], one, rules))
    lost = [look for look in looks if look.kind == UNREADABLE]
    rules.count("unreadable", sum(pending[look.key].kind != UNREADABLE for look in lost))
    return looks


def _seen(hint: Hint, seen: PortalView, rules: Rules) -> Reading:
    text = updated = names = ""
    if seen.item is not None:
        form = project(hint.key.entity, seen.item)
        updated = str(form.get(kind_of(hint.key.entity).updated_field, ""))
        text = fit(form, CONTENT_BYTES)[1]
        names = names_digest(seen.item)
    return Reading(
        key=hint.key,
        kind=seen.kind,
        text=text,
        updated=updated,
        read_at=seen.read_at,
        via=hint.via,
        added=hint.added,
        quiet=not hint.added and (hint.baseline or not rules.baselined(hint.key.entity)),
        names=names,
    )
