"""`make history` and `make asof`: what an item was, who changed it, and when."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from ops.asked import ItemName, Moment, key_of, meant, moment_of
from ops.deployed import PortalName, Stack, client, find_stack
from ops.outcome import Outcome
from ops.past import Past
from ops.terminal import console, shown
from ops.timeline import GapError, Step, Timeline, is_unreadable, shown_time
from relay.tracking.difference import difference
from relay.tracking.projection import is_digest

LETTERS = 60  # of a value on a line; with JSON=1 it is whole
NO_VALUE = "(empty)"

type Document = dict[str, object]
FieldName = Annotated[str, typer.Option(help="Only this field's changes", metavar="NAME")]


def history_command(
    item: ItemName, field: FieldName = "", portal: PortalName = "main", stack: Stack = "relay"
) -> Outcome:
    """Show an item's changes: when, what, from, to, who saved last, by which reaction."""
    timeline = _past(stack).timeline(key_of(portal, item))
    changes: list[Document] = []
    names: set[str] = set()
    gap = ""
    try:
        for step in timeline.steps():
            names |= {*(step.before or {}), *(step.after or {})}
            fields = dict(_fields(step, field))
            if field and not (fields or (field == "stageId" and step.past.steps)):
                continue
            changes.append(_document(step, fields))
            _show(step, fields)
    except GapError as unknown:
        gap = str(unknown)
    _end(timeline, changes, field, gap, names)
    return Outcome({"item": item, "portal": portal, "changes": changes, "gap": gap or None})


def asof_command(
    item: ItemName, at: Moment, portal: PortalName = "main", stack: Stack = "relay"
) -> Outcome:
    """Show an item as it was at a moment."""
    moment = moment_of(at)
    timeline = _past(stack).timeline(key_of(portal, item))
    try:
        state = timeline.at(moment)
    except GapError as unknown:
        raise SystemExit(str(unknown)) from None
    last = timeline.version_at(moment)
    if state is None:
        console.print(shown(f"{item} did not exist on {shown_time(moment)}"))
    else:
        since = f", unchanged since {shown_time(last.at)}" if last else ""
        console.print(shown(f"{item} on {shown_time(moment)}{since}"))
        for name, value in state.items():
            console.print(shown(f"  {name:24} {text_of(value)}"))
    version = last.version if last else None
    return Outcome(
        {"item": item, "portal": portal, "at": utc(moment), "version": version, "state": state}
    )


def _past(stack: str) -> Past:
    deployed = find_stack(stack)  # first: it finds out which AWS is meant
    return Past(client("dynamodb"), deployed)


def _fields(step: Step, only: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the fields that a change changed, with their values before and after."""
    before, after = step.before or {}, step.after or {}
    for name in difference(before, after):
        if not only or name == only:
            yield name, {"from": before.get(name), "to": after.get(name)}


def _document(step: Step, fields: Mapping[str, object]) -> Document:
    past = step.past
    return {
        "change": past.change_id,
        "at": utc(past.at),
        "action": past.action,
        "by": past.saved_by or None,
        "reaction": past.reaction or None,
        "origin": past.origin,
        "via": past.via,
        "fields": fields,
        "steps": list(past.steps),
    }


def _show(step: Step, fields: Mapping[str, Mapping[str, object]]) -> None:
    past = step.past
    who = f", saved by user {past.saved_by}" if past.saved_by else ""
    reaction = past.reaction or "a reaction"
    who += f", written by {reaction}" if past.origin == "relay" else ""
    console.print(shown(f"{shown_time(past.at)}  {past.action}{who}"))
    console.print(shown(f"  CHANGE={past.change_id}"))
    for moved in past.steps:
        console.print(shown(f"  moved to {moved['stageId']} on {moved['at']}"))
    if past.action != "updated":
        console.print(f"  {len(fields)} fields; JSON=1 lists them")
        return
    for name, values in fields.items():
        line = f"  {name}: {text_of(values['from'])} -> {text_of(values['to'])}"
        console.print(shown(line))


def _end(
    timeline: Timeline, changes: list[Document], field: str, gap: str, names: set[str]
) -> None:
    if gap:
        console.print(shown(gap))
    elif not changes:
        what = f"no change of {field}" if field else "no change"
        since = shown_time(timeline.begins)
        console.print(shown(f"{timeline.item}: {what} since {since}{meant(field, names)}"))
    if is_unreadable(timeline.row):
        console.print(shown(f"{timeline.item} can't be read any more: this is what it last was"))


def text_of(value: object) -> str:
    """Return a value as a line has room for it."""
    if value is None:
        return NO_VALUE
    if is_digest(value):
        return "(too large to be kept)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= LETTERS else f"{text[:LETTERS]}…"


def utc(moment: float) -> str:
    """Return a time in ISO 8601, for programs."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
