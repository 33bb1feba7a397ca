"""What must hold once all has settled; what does not is said in words. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from local.ordeal.acts import FIELDS, State, state_of
from relay.change import Change
from relay.tracking.projection import Form, difference, is_digest, project

UNKNOWN = ...  # stands for a value that a Change had no room for


@dataclass(frozen=True, slots=True)
class Known:
    """What was last told of a deal; no form: it is not there. Version 0: nothing was."""

    version: int = 0
    form: Form | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter of the reaction, and whether it says that a call can't be decided."""

    change_id: str
    deal: str
    method: str
    undecided: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What the reaction has left in the portal, by deal: its tasks, their titles, its comments."""

    tasks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    titles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    comments: Mapping[str, Sequence[str]] = field(default_factory=dict)


def distinct(announced: Iterable[Change], findings: list[str]) -> dict[str, list[Change]]:
    """Return each deal's Changes in the order of their versions; one id has one content."""
    by_id: dict[str, Change] = {}
    findings += [
        f"{change.change_id} was announced with two contents"
        for change in announced
        if by_id.setdefault(change.change_id, change) != change
    ]
    by_deal: dict[str, list[Change]] = {}
    for change in sorted(by_id.values(), key=lambda change: change.version):
        by_deal.setdefault(change.id, []).append(change)
    for deal, its in by_deal.items():
        for one, other in pairwise(its):
            if one.version == other.version:
                findings.append(f"deal {deal}: version {one.version} is told of two Changes")
    return by_deal


def chain(known: Known, changes: Iterable[Change], findings: list[str]) -> Known:
    """Follow a deal's Changes: each begins where the one before ended. Returns the end."""
    for change in changes:
        if change.version <= known.version:
            continue  # told before we began
        name = f"deal {change.id}, version {change.version} ({change.action})"
        before = known.form
        after = _stored(change, change.after) if change.action != "deleted" else None
        if (before is None) != (change.action == "added"):
            findings.append(f"{name}: it was {'not ' * (before is None)}there before")
        elif change.action == "deleted" and _differing(
            before or {}, _stored(change, change.before)
        ):
            findings.append(f"{name}: not what was last known is said to be gone")
        elif change.action == "added" and _differing({}, after or {}) != _said(change, after or {}):
            findings.append(f"{name}: not all fields that are set are said to have changed")
        elif change.action == "updated":
            findings += _difference(name, before or {}, change, after or {})
        known = Known(change.version, after)
    return known


def _difference(name: str, before: Form, change: Change, after: Form) -> list[str]:
    changed, said = _differing(before, after), _said(change, before, after)
    found = []
    if changed != said:
        found.append(f"{name}: {changed} differ, {said} are said to")
    wrong = [f for f in said if change.before.get(f) != before.get(f)]
    if wrong or set(change.before) - set(change.changed):
        found.append(f"{name}: before does not tell what was last known of {wrong}")
    return found


def _stored(change: Change, fields: Mapping[str, Any]) -> Form:
    """Return fields of a Change as they are stored: what is empty is left out."""
    stored = {name: value for name, value in fields.items() if value is not None}
    return stored | dict.fromkeys(change.truncated, UNKNOWN)


def _said(change: Change, *forms: Form) -> list[str]:
    """Return the fields that are said to have changed, of those whose values are known."""
    return [name for name in change.changed if all(f.get(name) is not UNKNOWN for f in forms)]


def _differing(one: Form, other: Form) -> list[str]:
    """Return the fields that differ, of those whose values are known."""
    unknown = {name for form in (one, other) for name in form if form[name] is UNKNOWN}
    known = [{n: form[n] for n in form.keys() - unknown} for form in (one, other)]
    return difference(*known)


def order(states: Sequence[State], changes: Iterable[Change], deal: str) -> list[str]:
    """Say which told state the portal has never had, or not after the one told before."""
    at = -1
    for change in changes:
        if change.action == "deleted":
            continue
        begin = max(at, 0) if set(FIELDS).isdisjoint(change.changed) else at + 1
        later = (n for n in range(begin, len(states)) if _fits(states[n], change))
        if (found := next(later, None)) is None:
            return [f"deal {deal}, version {change.version}: the portal was never so, or earlier"]
        at = found
    return []


def _fits(state: State, change: Change) -> bool:
    fields = zip(FIELDS, state, state_of(change.after), strict=True)
    return all(name in change.truncated or was == told for name, was, told in fields)


def end(deal: str, what: str, form: Form | None, item: Mapping[str, Any] | None) -> list[str]:
    """Say how what is known of a deal differs from what the portal shows."""
    if item is None or form is None:
        if (item is None) == (form is None):
            return []
        return [f"deal {deal}: {what} {'has' if form else 'lacks'} it, the portal does not agree"]
    shown = project("deal", item)
    differ = set(_differing(form, shown))
    # By the portal's own words too, whatever the projection makes of them.
    differ |= {
        name
        for name in FIELDS
        if (value := form.get(name) or None) != (item.get(name) or None)
        and value is not UNKNOWN
        and not is_digest(value)
    }
    return [f"deal {deal}: {what} differs from the portal in {sorted(differ)}"] if differ else []


def is_won(change: Change) -> bool:
    """Say whether the reaction's filter lets a Change through."""
    return (
        change.action in {"added", "updated"}
        and change.origin == "portal"
        and "stageSemanticId" in change.changed
        and change.after.get("stageSemanticId") == "S"
    )


def effects(won: Iterable[Change], found: Effects, letters: Sequence[Letter]) -> list[str]:
    """Say which won deal has not one task and one comment for each time that it was won.

    What nobody can decide is told by a dead letter: there may be one less of it.
    """
    findings = [f"deal {its.deal}: {its.reason}" for its in letters if not its.undecided]
    undecided = {(its.change_id, its.deal, its.method) for its in letters if its.undecided}
    lacking = Counter((deal, method) for _, deal, method in undecided)
    wanted = Counter(change.id for change in won)
    texts: dict[str, Counter[str]] = {}
    for change in won:
        texts.setdefault(change.id, Counter())[f"Call {change.after.get('title')}"] += 1
    for deal in sorted(wanted.keys() | found.tasks.keys() | found.comments.keys()):
        tasks, comments = found.tasks.get(deal, ()), found.comments.get(deal, ())
        times, no_task = wanted[deal], lacking[deal, "tasks.task.add"]
        if not times - no_task <= len(tasks) <= times:
            findings.append(f"deal {deal}: won {times} times, {len(tasks)} tasks")
        spare = no_task + lacking[deal, "crm.timeline.comment.add"]
        if not times - spare <= len(comments) <= times:
            findings.append(f"deal {deal}: won {times} times, {len(comments)} comments")
        if wrong := Counter(found.titles.get(deal, ())) - texts.get(deal, Counter()):
            findings.append(f"deal {deal}: tasks of another text: {list(wrong)}")
        if len(set(comments)) < len(comments):
            findings.append(f"deal {deal}: two equal comments")
        if set(comments) - {f"Follow-up: task {task}" for task in tasks}:
            findings.append(f"deal {deal}: a comment on a task that is not there")
    return findings


def differs(form: Form | None, other: Form | None) -> bool:
    """Say whether two forms of a deal are an announced difference apart."""
    if form is None or other is None:
        return form is not other
    return bool(_differing(form, other))
