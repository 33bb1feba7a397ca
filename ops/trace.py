"""`make trace`: an item's or a change's way from the POST to its effects, on one screen."""

import re
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from ops.asked import key_of, moment_of
from ops.deployed import Deployed, PortalName, Stack, client, find_stack
from ops.kept_away import KeptAway, kept_away
from ops.log_search import Line, Span, search
from ops.mapping import logical_id
from ops.outcome import Outcome
from ops.pause import reactions_of
from ops.terminal import console, shown
from ops.trace_writes import Checkpoints
from ops.traced import Trace, assemble
from relay.errors import NotOursError
from relay.history import History, PastChange, keys_of
from relay.reaction.checkpoint import Checkpoint
from relay.state_requests import StateRequests
from relay.state_table import checkpoint_key

BEFORE_SECONDS, AFTER_SECONDS = 900.0, 3600.0  # around a change: its event, its reactions
DAY_SECONDS = 24 * 3600.0
MAX_CHANGES = 20
REQUEST = re.compile(r"[\w=.:-]{1,200}")


def command(  # noqa: PLR0913, PLR0917  a command has options
    item: Annotated[str, typer.Option(help="An item, deal/662", metavar="KIND/ID")] = "",
    change: Annotated[str, typer.Option(help="A change's id", metavar="ID")] = "",
    request: Annotated[str, typer.Option(help="What the hook answered a POST", metavar="ID")] = "",
    since: Annotated[str, typer.Option(help="All since then: 2026-03-01T09:30, or 2h")] = "",
    portal: PortalName = "main",
    stack: Stack = "relay",
) -> Outcome:
    """Show the way of an item's last change from its event to each effect, with times."""
    if sum(map(bool, (item, change, request))) != 1:
        raise SystemExit("trace needs one of ITEM=deal/662, CHANGE=<id> and REQUEST=<id>")
    found, now = find_stack(stack), time.time()
    event, begin = "", moment_of(since, "SINCE") if since else 0.0
    if request:
        line = _of_request(found, request, begin or now - DAY_SECONDS, now)
        event, item, portal, begin = (
            line.get("event_id"),
            line.get("subject"),
            line.get("portal"),
            line.at,
        )
        if not item:
            console.print(shown(f"{request}: {_reason(line)}"))
            return Outcome({"traces": [], "request": line.fields})
    if change:
        portal, item = _item_of(change)
    key = key_of(portal, item)
    subject = f"{key.entity}/{key.id}"
    history = History(client("dynamodb"), found.resource("History"))
    changes, wanted = _changes(history, portal, subject, change, begin)
    wanted = wanted[:MAX_CHANGES] if request else wanted[-MAX_CHANGES:]
    spans = [Span(one.at - BEFORE_SECONDS, min(one.at + AFTER_SECONDS, now)) for one in wanted]
    if not change:
        spans.append(Span(begin or now - AFTER_SECONDS, now))
    lines = search(client("logs"), found.outputs["LogGroup"], subject, spans)
    lines = [line for line in lines if line.get("portal") in {portal, ""}]
    traces = assemble(subject, lines, changes, _checkpoints(found, wanted, lines), now)
    if event:
        traces = [one for one in traces if event in one.events]
    else:
        traces = _asked_for(traces, wanted, now if change else begin)
    ids = [one.change.change_id for one in traces if one.change]
    kept = kept_away(found, key, ids, reactions_of(found.resources))
    for trace in traces:
        _show(subject, trace, _not_reached(trace, kept))
    if not traces:
        when = since or "1h"
        console.print(
            shown(f"{subject} of portal {portal}: no change, and no line in the log since {when}")
        )
    documents = [_document(one) | {"kept_from": _not_reached(one, kept)} for one in traces]
    return Outcome({"item": subject, "portal": portal, "traces": documents})


def _of_request(stack: Deployed, request: str, begin: float, now: float) -> Line:
    """Return ingress's line about a request; exits where there is none."""
    if not REQUEST.fullmatch(request):
        raise SystemExit(f'{request!r} is no id of a request; the hook answers {{"id": …}}')
    lines = search(client("logs"), stack.outputs["LogGroup"], request, [Span(begin, now)])
    for line in lines:
        if line.get("service") in {"ingress", "republish"}:
            return line
    raise SystemExit(
        f"no line of ingress names {request} in that time; SINCE=7d looks further back"
    )


def _reason(line: Line) -> str:
    reason = line.get("reason") or line.get("because") or line.get("event_name")
    return f"{line.get('message')}: {reason}"


def _item_of(change: str) -> tuple[str, str]:
    try:
        pk, _ = keys_of(change)
    except NotOursError as wrong:
        raise SystemExit(str(wrong)) from None
    portal, _, subject = pk.partition("/")
    return portal, subject


def _changes(
    history: History, portal: str, subject: str, change: str, begin: float
) -> tuple[list[PastChange], list[PastChange]]:
    """Return the changes that lines may be about, and of these the wanted ones; the oldest first.

    Wanted is a named one, those since a time, or the last. A line about another change of the
    minutes before must not look like one about no change.
    """
    found: list[PastChange] = []
    wanted: list[PastChange] = []
    for past in history.of_item(portal, subject):
        is_named = change == past.change_id
        if change and not wanted and not is_named:
            found = [past]  # the one after it may be its echo
            continue
        found.append(past)
        if is_named or (not change and (past.at >= begin if begin else not wanted)):
            wanted.append(past)
        if past.at < (begin if begin and not change else wanted[0].at) - BEFORE_SECONDS:
            break
    if change and not wanted:
        raise SystemExit(f"{change} is not in the history: it is older, or never was")
    return found[::-1], wanted[::-1]


def _asked_for(
    traces: Iterable[Trace], wanted: Collection[PastChange], begin: float
) -> list[Trace]:
    """Return the traces of wanted changes, and later ones without a change, since `begin`."""
    own = [one for one in traces if one.change in wanted]
    first = max(min([one.steps[0].at for one in own], default=begin), begin)
    return [one for one in traces if one in own or (not one.change and one.steps[-1].at >= first)]


def _checkpoints(
    stack: Deployed, changes: Iterable[PastChange], lines: Iterable[Line]
) -> Checkpoints:
    """Return what reactions wrote for these changes, and for the events in these lines."""
    records = {one.change_id for one in changes} | {line.get("event_id") for line in lines} - {""}
    keys = {
        checkpoint_key(reaction, record): (reaction, record)
        for reaction in reactions_of(stack.resources)
        for record in records
    }
    table = StateRequests(client("dynamodb"), stack.resource("StateTable"))
    rows = table.load(keys)
    now = time.time()
    return {keys[key]: Checkpoint.of(key, row, now) for key, row in rows.items()}


def _not_reached(trace: Trace, kept: KeptAway) -> dict[str, str]:
    """Return the reactions that a trace has no step of, with the condition that was not met."""
    seen = {step.who for step in trace.steps}
    conditions = kept.get(trace.change.change_id, {}) if trace.change else {}
    return {name: why for name, why in conditions.items() if not {name, logical_id(name)} & seen}


def _show(subject: str, trace: Trace, not_reached: Mapping[str, str]) -> None:
    name = trace.change.change_id if trace.change else "no change"
    began = trace.steps[0].at
    day = f"{datetime.fromtimestamp(began, UTC):%Y-%m-%d}"
    head = f"{subject}  {name}  {trace.seconds:.1f} s, {day} UTC"
    console.print(shown(head), style="bold")
    for step in trace.steps:
        clock = f"{datetime.fromtimestamp(step.at, UTC):%H:%M:%S.%f}"[:12]
        after = f"+{step.at - began:.3f}"
        console.print(shown(f"  {clock}  {after:>7}  {step.who:13} {step.text}"))
        for more in step.more:
            console.print(shown(f"{'':25}{more}"))
    for name, condition in not_reached.items():
        console.print(shown(f"  {name} did not get it: its filter asks for {condition}"))


def _document(trace: Trace) -> dict[str, object]:
    return {
        "change": trace.change.change_id if trace.change else None,
        "events": sorted(trace.events - {""}),
        "seconds": round(trace.seconds, 3),
        "steps": [
            {"at": round(one.at, 3), "by": one.who, "what": one.text, "writes": list(one.more)}
            for one in trace.steps
        ],
    }
