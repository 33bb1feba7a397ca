"""`make replay` and `make apply`: a deployed reaction over what happened, or over what exists."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated

import typer

from ops.asked import meant, moment_of
from ops.audit import open_audit
from ops.dead_letters import count_of
from ops.deployed import Deployed, PortalName, Stack, client, find_stack
from ops.filter_findings import kinds_of
from ops.former_world import NotHeldError, Rule, holds, rules_of
from ops.happened import Happened
from ops.outcome import Outcome
from ops.past import Past
from ops.reactions import LocalReaction, find_reaction
from ops.redrive import Dry, Rate
from ops.rehearse import ReactionName
from ops.resend import counts, queue_of, send, show_estimate, sort_changes
from ops.selection import last_versions_of
from ops.stopping import Stop
from ops.terminal import console, numbered, shown
from relay.change import Change
from relay.kinds import kind_of
from relay.state_table import CHECKPOINT_SECONDS
from relay.tracking.difference import difference, fit_message
from relay.tracking.projection import Form
from relay.tracking.row import ITEM, Row

Where = Annotated[str, typer.Option(help="Only items with these values: stageId=WON,closed!=Y")]
CONDITION = re.compile(r"\s*(\w+)\s*(!?=)(.*)")
DAY_SECONDS = 24 * 3600


def replay_command(  # noqa: PLR0913, PLR0917  an option each
    name: ReactionName,
    since: Annotated[str, typer.Option(help="Changes from then on: 7d, 2026-03-01")],
    until: Annotated[str, typer.Option(help="… up to then")] = "",
    only: Annotated[str, typer.Option(help="failed, or missing: without a recorded write")] = "",
    rate: Rate = 0,
    portal: PortalName = "main",
    stack: Stack = "relay",
    *,
    dry: Dry = False,
) -> Outcome:
    """Send what happened to a deployed reaction again; what it has done is not done twice."""
    reaction, deployed = find_reaction(name), find_stack(stack)
    queue_of(reaction, deployed)
    begin, now = moment_of(since, "SINCE"), time.time()
    if begin < now - CHECKPOINT_SECONDS + DAY_SECONDS:
        raise SystemExit(
            f"SINCE={since} is too long ago: what a reaction wrote is recorded for 30 days, and "
            "older changes would be handled twice; SINCE=29d is the most"
        )
    end = moment_of(until, "UNTIL") if until else now
    happened = Happened(Past(client("dynamodb"), deployed), portal, begin, now)
    happened.check(portal)
    changes = [one for one in happened.changes(end) if reaction.gets(one)]
    for gap in happened.gaps.values():
        console.print(shown(gap))
    return _resend(reaction, deployed, changes, only, rate, dry=dry, gaps=happened.gaps)


def apply_command(  # noqa: PLR0913, PLR0917  an option each
    name: ReactionName,
    to: Annotated[str, typer.Option(help="The kind of items: contact", metavar="KIND")],
    where: Where = "",
    rate: Rate = 0,
    portal: PortalName = "main",
    stack: Stack = "relay",
    *,
    dry: Dry = False,
) -> Outcome:
    """Send every item of a kind to a deployed reaction, as if it had just been added."""
    reaction, deployed = find_reaction(name), find_stack(stack)
    queue_of(reaction, deployed)
    try:
        kind_of(to)
    except KeyError:
        raise SystemExit(f"the mirror has no kind {to!r}: TO=contact, TO=dynamic_130") from None
    taken = kinds_of(reaction.policy)
    if taken and to not in taken:
        kinds = ", ".join(sorted(taken))
        raise SystemExit(f"{name} does not subscribe to {to}: its filter takes {kinds}")
    rules = list(_rules_of(where))
    past = Past(client("dynamodb"), deployed)
    changes = list(_existing(past, past.kind(portal, to), rules))
    if not changes:
        console.print(shown(f"the mirror has no such {to} of portal {portal}"))
    return _resend(reaction, deployed, changes, "", rate, dry=dry, gaps={})


def _resend(  # noqa: PLR0913  what the commands were given
    reaction: LocalReaction,
    stack: Deployed,
    changes: Sequence[Change],
    only: str,
    rate: float,
    *,
    dry: bool,
    gaps: Mapping[str, str],
) -> Outcome:
    found = sort_changes(client("dynamodb"), stack, reaction.name, changes)
    chosen = found.chosen(only)
    show_estimate(found, chosen, rate)
    sent = 0
    if dry and chosen:
        console.print("nothing was sent; without DRY=1 it is")
    elif chosen:
        audit = open_audit(cache(client), stack.outputs["LogGroup"])
        sqs, queue = client("sqs"), queue_of(reaction, stack)
        if waiting := count_of(sqs, queue):
            held = f"{numbered(waiting, 'record')} still in the reaction's queue"
            console.print(f"{held}: what is sent twice is handled once")
        with Stop() as stop:
            sent = send(sqs, queue, chosen, rate, stop, audit)
        rest = f", {len(chosen) - sent} are not; the same command sends them" * (sent < len(chosen))
        console.print(f"{sent} sent to {reaction.name}{rest}")
    document = dict(counts(found)) | {"chosen": len(chosen), "sent": sent, "gaps": dict(gaps)}
    return Outcome(document, left=bool(gaps) or (not dry and sent < len(chosen)))


def _rules_of(where: str) -> Iterator[Rule]:
    conditions: dict[str, object] = {}
    for part in filter(None, where.split(",")):
        found = CONDITION.fullmatch(part)
        if not found:
            raise SystemExit(f"WHERE={part} is no condition: WHERE=stageId=WON,closed!=Y")
        conditions[("!" if found[2] == "!=" else "") + found[1]] = found[3].strip()
    try:
        yield from rules_of(conditions)
    except NotHeldError as wrong:
        raise SystemExit(f"WHERE={where}: {wrong}") from None


def _existing(past: Past, rows: Iterator[Row], rules: Sequence[Rule]) -> Iterator[Change]:
    """Yield the items that meet the rules, each as a Change that adds it.

    Its id is that of the item's last change, so that what a reaction did for this state is not
    done again; of an item that never changed, that of its first reading.
    """
    found: list[tuple[Row, Form]] = []
    names: set[str] = set()
    for row in rows:
        if row.kind == ITEM and (state := row.form):
            names |= state.keys()
            if all(holds(rule, state) for rule in rules):
                found.append((row, state))
    for _, name, _ in rules:
        if names and name not in names:
            raise SystemExit(f"no such item in the mirror has {name}{meant(name, names)}")
    versions = last_versions_of(past, [row for row, _ in found])
    for (row, state), version in zip(found, versions, strict=True):
        yield _as_added(row, state, version)


def _as_added(row: Row, state: Form, version: int) -> Change:
    key = row.key
    return fit_message(
        Change(
            change_id=f"{key.portal}.{key.entity}.{key.id}.{row.born}.{version}",
            portal=key.portal,
            entity=key.entity,
            entity_type_id=kind_of(key.entity).entity_type_id,
            id=str(key.id),
            action="added",
            version=version,
            time=datetime.fromtimestamp(row.read_at, UTC).isoformat(timespec="milliseconds"),
            via=row.via,
            changed=tuple(difference({}, state)),
            after=state,
        )
    )
