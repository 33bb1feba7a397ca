"""Checks of origins and of the guest's writes: a finding is a sentence. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from local.ordeal.edits import FIELDS
from local.ordeal.guest import ASK, FIELD, OURS
from local.ordeal.judge import DeadLetter
from relay.change import Change


def has_persons_edit(change: Change) -> bool:
    """Return whether a person's edit is in a Change: the guest writes one field and makes leads."""
    if change.entity == "lead":
        return change.action == "updated"
    if change.entity == "deal" and change.action == "updated":
        by_guest = str(change.after.get(FIELD, "")).startswith(OURS)
        return not by_guest or not set(FIELDS).isdisjoint(change.changed)
    return change.entity in {"deal", "contact", "company"}


def marked_as_ours(changes: Iterable[Change]) -> list[str]:
    """Return a finding for each Change with a person's edit that is marked as a reaction's."""
    return [
        f"{change.entity} {change.id}, version {change.version} ({change.action}, "
        f"{list(change.changed)}): a person's edit has the origin {change.origin}"
        for change in changes
        if change.origin != "portal" and has_persons_edit(change)
    ]


def lead_findings(
    changes: Iterable[Change], titles: Iterable[str], letters: Iterable[DeadLetter]
) -> list[str]:
    """Return a finding for each lead that was not made once for a Change that asks for it.

    `titles` are those of the guest's leads. A lead may be missing where a dead letter says that
    nobody can decide whether it was made.
    """
    wanted = {
        f"{OURS}{change.change_id}"
        for change in changes
        if change.origin == "portal"
        and "comments" in change.changed
        and ASK in (change.after.get("comments") or "")
    }
    made = Counter(titles)
    undecided = {f"{OURS}{letter.change_id}" for letter in letters if letter.undecided}
    return [
        f"{made[title]} leads: {title}"
        for title in wanted | made.keys()
        if made[title] > 1 or (made[title] == 0 and title not in undecided) or title not in wanted
    ]


def text_findings(texts: Iterable[str], typed: set[Any]) -> list[str]:
    """Return a finding for each text that the guest passed on and no person has typed."""
    return [
        f"nobody typed what the guest passed on: {text[:100]}"
        for text in texts
        if text.removeprefix(OURS) not in typed
    ]
