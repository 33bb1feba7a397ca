"""What a log line tells of an item: whether it is about it, of which record, and which step."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ops.log_search import Line
from relay import errors

# What lines say, by their message.
TEXTS = {
    "published": "{event_name} verified, published",
    "not read": "not read: {reason}",
    "comes back": "comes back in {seconds} s: {cause}",
    "dead-lettered": "given up: {cause}",
    "sent back": "sent back by {by}",
    "dropped": "dropped by {by}: {why}",
}


class Step(NamedTuple):
    """One step: when (epoch s), by which function, what, and what belongs to it."""

    at: float
    who: str
    text: str
    more: tuple[str, ...] = ()


def is_about(line: Line, subject: str) -> bool:
    """Say whether a line is about an item: the log's search finds deal/66 in deal/662 too."""
    of_many = {**mapping(line, "hinted"), **mapping(line, "changes")}
    whose = line.get("subject") or line.get("item").partition("/")[2]
    return whose == subject or subject in of_many


def mapping(line: Line, name: str) -> Mapping[str, Sequence[object]]:
    """Return a field that has lists by items; empty where it is missing."""
    value = line.fields.get(name)
    return value if isinstance(value, dict) else {}


def step_of(line: Line, subject: str) -> Step | None:
    """Return the step that a line tells of; None for one that tells of none of its own."""
    message, who = line.get("message"), line.get("service")
    record = record_of(line)
    if message == "announced" and subject in mapping(line, "changes"):
        text = "published"
    elif message in TEXTS:
        text = TEXTS[message].format_map(defaultdict(str, line.fields, cause=_cause(line)))
    elif not record or "payload" in line.fields:
        return None  # of no record, or the journal's own line
    else:
        text = message
    return Step(line.at, who, text)


def _cause(line: Line) -> str:
    """Return the reason in a line; of a bug with the error's class and its place."""
    error, reason, place = line.get("error"), line.get("reason"), line.get("at")
    if not error or hasattr(errors, error):
        return reason
    return f"{error}: {reason}" + (f" ({place})" if place else "")


def record_of(line: Line) -> str:
    """Return the id of the record that a line is about; empty for none, or many."""
    return line.get("change_id") or line.get("event_id") or line.get("record_id")
