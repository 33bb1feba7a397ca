"""`make sample`: a real change as an event file, its personal data masked."""

import re
from typing import Annotated

import typer

from ops.build import ROOT
from ops.deployed import Stack, client, find_stack
from ops.history import utc
from ops.mapping import logical_id
from ops.masking import Mask
from ops.new import MAX_LETTERS, NAME
from ops.outcome import Outcome
from ops.past import Past
from ops.samples import sample_batch
from ops.terminal import console, shown
from ops.timeline import GapError, Step
from relay.change import Change
from relay.kinds import kind_of
from relay.tracking.difference import difference, fit_message

EVENTS = ROOT / "events"


def command(
    change: Annotated[str, typer.Option(help="A change's id, as history has it", metavar="ID")],
    name: Annotated[str, typer.Option(help="Of the file: events/sqs_<name>.json")],
    stack: Stack = "relay",
) -> Outcome:
    """Make an event file of a real change, its personal data masked."""
    path = EVENTS / f"sqs_{name}.json"
    if not re.fullmatch(NAME, name) or len(name) > MAX_LETTERS:
        raise SystemExit(f"a sample is called like big_deal, not {name!r}")
    if path.exists() or (ROOT / "src" / "relay" / "reactions" / f"{name}.py").exists():
        raise SystemExit(f"there is a sample or a reaction {name} already; choose another NAME")
    deployed = find_stack(stack)
    past = Past(client("dynamodb"), deployed)
    key, version = past.change(change)
    try:
        found = next(
            (one for one in past.timeline(key).steps() if one.past.version == version), None
        )
    except GapError as unknown:
        raise SystemExit(str(unknown)) from None
    if found is None:
        raise SystemExit(f"{change} is not in the history: it is older, or never was")
    sample = masked(found, key.portal, key.entity, str(key.id))
    path.write_text(sample_batch(sample, f"{logical_id(name)}Queue"), "utf-8")
    file = str(path.relative_to(ROOT))
    console.print(shown(f"{file}: look through it before you commit it"))
    return Outcome({"file": file, "change": change})


def masked(step: Step, portal: str, entity: str, number: str) -> Change:
    """Return a change of the history as it was announced, its texts masked."""
    mask = Mask()
    before, after = step.before or {}, step.after or {}
    changed = tuple(difference(before, after)) if step.past.action != "deleted" else ()
    kept = before if step.past.action == "deleted" else {one: before.get(one) for one in changed}
    announced = Change(
        change_id=step.past.change_id,
        portal=portal,
        entity=entity,
        entity_type_id=kind_of(entity).entity_type_id,
        id=number,
        action=step.past.action,
        version=step.past.version,
        time=utc(step.past.at),
        origin=step.past.origin,
        via=step.past.via,
        changed=changed,
        before=mask.fields({} if step.past.action == "added" else kept),
        after=mask.fields(after),
        steps=tuple(step.past.steps),
        passed=step.past.passed,
    )
    return fit_message(announced)
