"""`make undo`: write back what changes took away, one of them or all of a time."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import batched
from typing import Annotated

import typer

from ops.asked import moment_of
from ops.audit import open_audit
from ops.deployed import PortalName, Stack, client, find_stack
from ops.happened import Happened
from ops.history import FieldName, text_of
from ops.outcome import Outcome
from ops.past import Past
from ops.portals import Noted, Writer, open_portal
from ops.progress import Progress
from ops.restore import CanNotUndoError, Plan, plan_of, written_names
from ops.terminal import console, numbered, shown
from ops.timeline import GapError, Timeline
from relay.history import PastChange
from relay.tracking.row import Key

TOGETHER = 500  # items whose calls wait at the same time: ten requests
NAME = "undo"  # in the ledger and the history, as a reaction's

type Refusals = dict[str, str]  # why, by item or change


def command(  # noqa: PLR0913, PLR0917  an option each
    change: Annotated[str, typer.Option(help="The change, as `make history` shows it")] = "",
    since: Annotated[str, typer.Option(help="All changes from then on: 2026-03-01, 2h")] = "",
    until: Annotated[str, typer.Option(help="… up to then")] = "",
    by: Annotated[str, typer.Option(help="… of a user's id, or of a reaction")] = "",
    field: FieldName = "",
    portal: PortalName = "main",
    stack: Stack = "relay",
    *,
    dry: Annotated[bool, typer.Option("--dry", help="Only list what would be written")] = False,
    go: Annotated[bool, typer.Option("--go", help="Write many changes back")] = False,
) -> Outcome:
    """Write back what a change took away (CHANGE=), or many (SINCE= BY= FIELD=, then GO=1)."""
    if bool(change) == bool(since):
        raise SystemExit("name one change with CHANGE=…, or many with SINCE=… [UNTIL= BY= FIELD=]")
    deployed, dynamodb = find_stack(stack), client("dynamodb")
    past = Past(dynamodb, deployed)
    if change:
        key, version = past.change(change)
        portal, wanted = key.portal, {key: {version: change}}
        timelines = {key: past.timeline(key)}
    else:
        now = time.time()
        end = moment_of(until, "UNTIL") if until else now
        happened = Happened(past, portal, moment_of(since, "SINCE"), now)
        happened.check(portal)
        wanted = chosen((one for one in happened.rows if one.at <= end), by)
        timelines = happened.timelines
    plans, refused = plans_of(timelines, wanted, field, many=not change)
    _list(plans, refused)
    write = bool(plans) and not dry and (go or bool(change))
    if write:
        opened = open_portal(client("ssm"), dynamodb, deployed, portal)
        audit = open_audit(cache(client), deployed.outputs["LogGroup"])
        refused |= asyncio.run(_write(Writer(opened, dynamodb, deployed, portal), plans))
        done = (plan for plan in plans if plan.fields and plan.item not in refused)
        changes = [change_id for plan in done for change_id in plan.changes]
        audit.try_to_note("undone", [{"change_id": one, "portal": portal} for one in changes])
    _conclude(plans, refused, written=write, many=not change)
    return Outcome(_document(plans, refused, written=write), left=bool(refused))


def chosen(changes: Iterable[PastChange], by: str) -> dict[Key, dict[int, str]]:
    """Return by item the versions and ids of the changes of one user or reaction, or of all.

    What a reaction wrote is the reaction's, not that of its webhook's user.
    """
    wanted: dict[Key, dict[int, str]] = defaultdict(dict)
    for past in changes:
        writer = past.reaction.split(" or ") if past.origin == "relay" else [past.saved_by]
        if not by or by in writer:
            portal, entity, number, *_ = past.change_id.split(".")
            wanted[Key(portal, entity, int(number))][past.version] = past.change_id
    return wanted


def plans_of(
    timelines: Mapping[Key, Timeline], wanted: dict[Key, dict[int, str]], field: str, *, many: bool
) -> tuple[list[Plan], Refusals]:
    """Return a plan an item, and why others have none.

    Of many changes those that set nothing to be written back are left out.
    """
    plans: list[Plan] = []
    refused: Refusals = {}
    for key, versions in wanted.items():
        found = _plan(timelines.get(key), versions, field, many=many)
        if isinstance(found, Plan):
            plans.append(found)
        elif found:
            refused[f"{key.entity}/{key.id}"] = found
    return plans, refused


def _plan(
    timeline: Timeline | None, versions: dict[int, str], field: str, *, many: bool
) -> Plan | str | None:
    """Return the plan of an item, or why it has none; None where nothing is to be done."""
    if timeline is None:
        return f"the mirror no longer has the item of {max(versions.values())}"
    try:
        steps = []
        for step in timeline.steps():
            if step.past.version < min(versions):
                break
            if versions.get(step.past.version) == step.past.change_id:
                steps.append(step)
        if not steps:
            return f"{max(versions.values())} is not in the history: it is older, or never was"
        if many:
            steps = [one for one in steps if not one.after or written_names(one, field)]
        return plan_of(timeline.key, timeline.state, steps, field) if steps else None
    except (CanNotUndoError, GapError) as refusal:
        return str(refusal)


async def _write(writer: Writer, plans: Sequence[Plan]) -> Refusals:
    progress = Progress("items written")
    refused: Refusals = {}
    stamp = f"{time.time():.3f}"
    due = [plan for plan in plans if plan.fields]
    for at, page in enumerate(batched(due, TOGETHER, strict=False)):
        calls = [
            (plan, Noted(f"{plan.changes[0]} {stamp}", *c)) for plan in page for c in plan.calls()
        ]
        results = await writer.write(NAME, [call for _, call in calls])
        refused |= {
            plan.item: str(error)
            for (plan, _), error in zip(calls, results, strict=True)
            if isinstance(error, Exception)
        }
        progress.at(at * TOGETHER + len(page), len(due))
    return refused


def _list(plans: Sequence[Plan], refused: Refusals) -> None:
    for plan in plans:
        console.print(shown(f"{plan.item}" + ("" if plan.fields else ": it is so already")))
        for name, (now, then) in plan.fields.items():
            console.print(shown(f"  {name}: {text_of(now)} -> {text_of(then)}"))
    for why in refused.values():
        console.print(shown(f"not undone: {why}"))


def _conclude(plans: Sequence[Plan], refused: Refusals, *, written: bool, many: bool) -> None:
    due = [plan for plan in plans if plan.fields]
    done = [plan for plan in due if plan.item not in refused]
    if written:
        console.print(f"{numbered(len(done), 'item')} written back, {len(refused)} not undone")
        for plan in due:
            if plan.item in refused:
                console.print(shown(f"not undone: {plan.item}: {refused[plan.item]}"))
    elif due:
        remedy = "; GO=1 writes them back" if many else ""
        console.print(
            f"{numbered(len(due), 'item')} would be written, {len(refused)} not undone{remedy}"
        )
    else:
        console.print("nothing is to be written")


def _document(plans: Sequence[Plan], refused: Refusals, *, written: bool) -> dict[str, object]:
    return {
        "written": written,
        "items": [
            {
                "item": plan.item,
                "changes": plan.changes,
                "fields": {
                    name: {"now": now, "then": then} for name, (now, then) in plan.fields.items()
                },
            }
            for plan in plans
            if plan.item not in refused
        ],
        "refused": refused,
    }
