"""`make rehearse`: the code on this machine over the changes that happened; nothing is written."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import typer

from ops.asked import moment_of
from ops.deployed import PortalName, Stack, client, find_stack
from ops.former_world import FormerWorld
from ops.happened import Happened
from ops.history import text_of
from ops.offline import Network
from ops.outcome import Outcome
from ops.past import Past
from ops.printed import Printed
from ops.progress import Progress
from ops.reactions import LocalReaction, find_reaction
from ops.recorded import checkpoints_of
from ops.rehearsal import RehearsalPortal
from ops.terminal import console, numbered, shown
from relay.change import Change
from relay.echo.calls import Call
from relay.reaction.checkpoint import Checkpoint, Write, digest_of

SHOWN = 20  # changes whose writes are shown; JSON=1 lists all

ReactionName = Annotated[str, typer.Option(help="The reaction, follow_up", metavar="NAME")]
type Document = dict[str, object]


def command(
    name: ReactionName,
    since: Annotated[str, typer.Option(help="Changes from then on: 7d, 2026-03-01")] = "7d",
    until: Annotated[str, typer.Option(help="… up to then")] = "",
    portal: PortalName = "main",
    stack: Stack = "relay",
) -> Outcome:
    """Run a reaction of this folder over what happened; list what it would write."""
    reaction = find_reaction(name)
    if not reaction.wants_portal:
        raise SystemExit(f"{name} takes no portal: what it does elsewhere can't be rehearsed")
    deployed = find_stack(stack)
    dynamodb = client("dynamodb")
    past = Past(dynamodb, deployed)
    begin, now = moment_of(since, "SINCE"), time.time()
    happened = Happened(past, portal, begin, now)
    happened.check(portal)
    end = moment_of(until, "UNTIL") if until else now
    changes = [one for one in happened.changes(end) if reaction.gets(one)]
    done = checkpoints_of(dynamodb, deployed, name, changes)
    network = Network()
    world = FormerWorld(past, portal, happened, network)
    with network.closed():
        rehearsal = asyncio.run(_rehearse(reaction, changes, done, world, network))
    return rehearsal.report(happened.gaps)


async def _rehearse(
    reaction: LocalReaction,
    changes: Sequence[Change],
    done: Mapping[str, Checkpoint],
    world: FormerWorld,
    network: Network,
) -> "Rehearsal":
    rehearsal = Rehearsal(reaction.name)
    progress, printed = Progress("changes rehearsed"), Printed(reaction.name)
    for at, change in enumerate(changes):
        progress.at(at, len(changes))
        error: Exception | None = None
        moment = datetime.fromisoformat(change.time).timestamp()
        made = done[change.change_id].writes
        portal = RehearsalPortal(world, moment, made)
        network.refused = False
        try:
            with printed.taken():
                await reaction.run(world.with_past(change), portal)
        except Exception as raised:  # noqa: BLE001  whatever the reaction raises is shown
            error = raised
        # A reaction may have caught the error of what it asked for.
        unheld = portal.unheld or ("another system than the portal" if network.refused else "")
        if unheld:
            rehearsal.unknown(change, unheld)
        elif error:
            rehearsal.failed(change, error)
        else:
            rehearsal.ended(change, portal.writes, made)
    return rehearsal


class Rehearsal:
    """What a reaction would have done, change by change."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changes: list[Document] = []
        self._counts: Counter[str] = Counter()
        self._causes: Counter[str] = Counter()

    def ended(self, change: Change, writes: Sequence[Call], made: Sequence[Write]) -> None:
        """Note the writes of a change beside those that were made then."""
        now = Counter((one.method, digest_of(one.params)) for one in writes)
        then = Counter((one.method, one.digest) for one in made if one.done)
        differs = bool(then) and now != then
        self._counts["writes"] += len(writes)
        self._counts["writing"] += bool(writes)
        self._counts["differ"] += differs
        self._counts["new"] += bool(writes) and not then
        self._note(change, writes=[{"method": one.method, "params": one.params} for one in writes])
        self._changes[-1]["as_done"] = None if not then else not differs
        if (writes or differs) and self._counts["shown"] < SHOWN:
            self._counts["shown"] += 1
            _show(change, writes, then=bool(then), differs=differs)

    def unknown(self, change: Change, what: str) -> None:
        """Note a change whose reads nothing but the portal could answer."""
        self._counts["unknown"] += 1
        self._causes[f"can't be rehearsed: the reaction asks for {what}"] += 1
        self._note(change, not_held=what)

    def failed(self, change: Change, error: Exception) -> None:
        """Note a change at which the reaction raised."""
        self._counts["failed"] += 1
        cause = f"{type(error).__name__}: {error}"
        if cause not in self._causes:
            console.print(shown(f"{change.subject}  raised {cause}  CHANGE={change.change_id}"))
        self._causes[cause] += 1
        self._note(change, error=cause)

    def report(self, gaps: dict[str, str]) -> Outcome:
        """Print the sums, and return all of it; what could not be rehearsed is left."""
        counts, total = self._counts, len(self._changes)
        more = counts["writing"] - counts["shown"]
        if more > 0:
            console.print(f"… and {more} more; JSON=1 lists all")
        console.print(
            f"{self._name} would write {numbered(counts['writes'], 'time')} for "
            f"{counts['writing']} of {total} changes; {counts['differ']} differ from what was done"
        )
        if counts["new"]:
            console.print(f"{counts['new']} of them have no recorded write (kept 30 days)")
        for cause, number in self._causes.most_common():
            console.print(shown(f"{number} x {cause}"))
        for gap in list(gaps.values())[:SHOWN]:
            console.print(shown(gap))
        left = bool(counts["unknown"] + counts["failed"] + len(gaps))
        keys = ("writes", "writing", "differ", "new", "unknown", "failed")
        return Outcome(
            {
                "reaction": self._name,
                "total": total,
                **{key: counts[key] for key in keys},
                "changes": self._changes,
                "gaps": gaps,
            },
            left=left,
        )

    def _note(self, change: Change, **more: object) -> None:
        self._changes.append({"change": change.change_id, "item": change.subject, **more})


def _show(change: Change, writes: Sequence[Call], *, then: bool, differs: bool) -> None:
    verdict = "differs from what was done" if differs else "as it was done" if then else "new"
    console.print(shown(f"{change.subject}  version {change.version}  {verdict}"))
    for one in writes:
        text = json.dumps(one.params, ensure_ascii=False, default=str)
        console.print(shown(f"  {one.method}  {text_of(text)}"))
