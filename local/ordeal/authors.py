"""Whose a change is, and what has become of the guest's writes, in words. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from local.ordeal.acts import FIELDS
from local.ordeal.guest import ASK, FIELD, OURS
from local.ordeal.judge import Letter
from relay.change import Change


def is_persons(change: Change) -> bool:
    """Say whether a person's act is in a Change: the guest writes one field and makes leads."""
    if change.entity == "lead":
        return change.action == "updated"
    if change.entity == "deal" and change.action == "updated":
        by_guest = str(change.after.get(FIELD, "")).startswith(OURS)
        return not by_guest or not set(FIELDS).isdisjoint(change.changed)
    return change.entity in {"deal", "contact", "company"}


def origins(changes: Iterable[Change]) -> list[str]:
    """Say which Changes with a person's act in them were taken for a reaction's writes."""
    return [
        f"{its.entity} {its.id}, version {its.version} ({its.action}, {list(its.changed)}): ours"
        for its in changes
        if its.origin != "portal" and is_persons(its)
    ]


def guests(
    changes: Iterable[Change],
    titles: Iterable[str],
    letters: Iterable[Letter],
    texts: tuple[Iterable[str], set[Any]],
) -> list[str]:
    """Say which lead was not made once, and which text has not reached the portal as it was.

    `texts` are all that the guest has left in the portal, and all that people have said.
    """
    passed_on, said = texts
    asked = {
        f"{OURS}{its.change_id}"
        for its in changes
        if its.origin == "portal"
        and "comments" in its.changed
        and ASK in (its.after.get("comments") or "")
    }
    made = Counter(titles)
    undecided = {f"{OURS}{its.change_id}" for its in letters if its.undecided}
    findings = [
        f"{made[title]} leads: {title}"
        for title in asked | made.keys()
        if (made[title] > 1 or (made[title] == 0 and title not in undecided) or title not in asked)
    ]
    return findings + [
        f"nobody said what the guest passed on: {text[:100]}"
        for text in passed_on
        if text.removeprefix(OURS) not in said
    ]
