"""Checks of a settled relay: each promise that does not hold is a finding, a sentence. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from local.ordeal.edits import FIELDS, EditedFields, edited_fields
from relay.change import Change
from relay.tracking.difference import difference
from relay.tracking.projection import Form, is_digest, project

UNKNOWN = ...  # stands for a value that did not fit into a Change


@dataclass(frozen=True, slots=True)
class DealState:
    """A deal's last announced state; `form` is None for no deal, `version` 0 before any Change."""

    version: int = 0
    form: Form | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A dead letter of a reaction; `undecided`: nobody knows whether its call has run."""

    change_id: str
    deal: str
    method: str
    undecided: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """The reaction's effects in the portal, by deal: its tasks, their titles, its comments."""

    tasks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    titles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    comments: Mapping[str, Sequence[str]] = field(default_factory=dict)


def distinct(announced: Iterable[Change], findings: list[str]) -> dict[str, list[Change]]:
    """Return each deal's Changes by version; an id with two contents is a finding."""
    by_id: dict[str, Change] = {}
    findings += [
        f"{change.change_id} was announced with two contents"
        for change in announced
        if by_id.setdefault(change.change_id, change) != change
    ]
    by_deal: dict[str, list[Change]] = {}
    for change in sorted(by_id.values(), key=lambda change: change.version):
        by_deal.setdefault(change.id, []).append(change)
    for deal, ordered in by_deal.items():
        for one, other in pairwise(ordered):
            if one.version == other.version:
                findings.append(f"deal {deal}: two Changes have version {one.version}")
    return by_deal


def chain(state: DealState, changes: Iterable[Change], findings: list[str]) -> DealState:
    """Return the state to which a deal's Changes lead; each must begin where the last one ended."""
    for change in changes:
        if change.version <= state.version:
            continue  # announced before the begin
        name = f"deal {change.id}, version {change.version} ({change.action})"
        before = state.form
        after = _stored(change, change.after) if change.action != "deleted" else None
        if (before is None) != (change.action == "added"):
            findings.append(f"{name}: the deal was {'not ' * (before is None)}there before")
        elif change.action == "deleted" and _differing(
            before or {}, _stored(change, change.before)
        ):
            findings.append(f"{name}: before is not the last announced state")
        elif change.action == "added" and _differing({}, after or {}) != _named_fields(
            change, after or {}
        ):
            findings.append(f"{name}: not all set fields are in changed")
        elif change.action == "updated":
            findings += _difference(name, before or {}, change, after or {})
        state = DealState(change.version, after)
    return state


def _difference(name: str, before: Form, change: Change, after: Form) -> list[str]:
    differing, named = _differing(before, after), _named_fields(change, before, after)
    findings = []
    if differing != named:
        findings.append(f"{name}: {differing} differ, changed names {named}")
    wrong = [field for field in named if change.before.get(field) != before.get(field)]
    if wrong or set(change.before) - set(change.changed):
        findings.append(f"{name}: before is not the last announced state of {wrong}")
    return findings


def _stored(change: Change, fields: Mapping[str, Any]) -> Form:
    """Return fields of a Change as the mirror stores them: without empty ones."""
    stored = {name: value for name, value in fields.items() if value is not None}
    return stored | dict.fromkeys(change.truncated, UNKNOWN)


def _named_fields(change: Change, *forms: Form) -> list[str]:
    """Return the names in `changed` whose values fitted into the Change."""
    return [name for name in change.changed if all(f.get(name) is not UNKNOWN for f in forms)]


def _differing(one: Form, other: Form) -> list[str]:
    """Return the fields that differ, of those whose values fitted into the Change."""
    unknown = {name for form in (one, other) for name in form if form[name] is UNKNOWN}
    fitting = [{name: form[name] for name in form.keys() - unknown} for form in (one, other)]
    return difference(*fitting)


def order(states: Sequence[EditedFields], changes: Iterable[Change], deal: str) -> list[str]:
    """Return a finding for a Change to a state that the portal never had after the last one."""
    at = -1
    for change in changes:
        if change.action == "deleted":
            continue
        begin = max(at, 0) if set(FIELDS).isdisjoint(change.changed) else at + 1
        later = (n for n in range(begin, len(states)) if _fits(states[n], change))
        if (found := next(later, None)) is None:
            return [f"deal {deal}, version {change.version}: the portal never had it, or earlier"]
        at = found
    return []


def _fits(state: EditedFields, change: Change) -> bool:
    fields = zip(FIELDS, state, edited_fields(change.after), strict=True)
    return all(name in change.truncated or had == has for name, had, has in fields)


def end(deal: str, source: str, form: Form | None, item: Mapping[str, Any] | None) -> list[str]:
    """Return a finding where a deal's form, from `source`, differs from the portal's item."""
    if item is None or form is None:
        if (item is None) == (form is None):
            return []
        return [f"deal {deal}: {source} {'has' if form else 'lacks'} it, the portal does not agree"]
    shown = project("deal", item)
    differ = set(_differing(form, shown))
    # Compared without the projection too: it might lose a field on both sides.
    differ |= {
        name
        for name in FIELDS
        if (value := form.get(name) or None) != (item.get(name) or None)
        and value is not UNKNOWN
        and not is_digest(value)
    }
    return [f"deal {deal}: {source} differs from the portal in {sorted(differ)}"] if differ else []


def is_won(change: Change) -> bool:
    """Return whether the reaction's filter lets a Change through."""
    return (
        change.action in {"added", "updated"}
        and change.origin == "portal"
        and "stageSemanticId" in change.changed
        and change.after.get("stageSemanticId") == "S"
    )


def effects(won: Iterable[Change], found: Effects, letters: Sequence[DeadLetter]) -> list[str]:
    """Return findings about deals without one task and one comment for each time they were won.

    For each undecided dead letter one of them may be missing.
    """
    findings = [
        f"deal {letter.deal}: {letter.reason}" for letter in letters if not letter.undecided
    ]
    undecided = {(one.change_id, one.deal, one.method) for one in letters if one.undecided}
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
            findings.append(f"deal {deal}: a comment names a task that does not exist")
    return findings


def differs(form: Form | None, other: Form | None) -> bool:
    """Return whether two forms of a deal differ in fields that are announced."""
    if form is None or other is None:
        return form is not other
    return bool(_differing(form, other))
