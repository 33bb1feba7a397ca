"""`make drop`: delete dead letters; why is kept in the log of the stack."""

from typing import Annotated

import typer

from ops.audit import Audit, open_audit
from ops.dead import One, Owner, Reason, preview
from ops.dead_letters import DeadLetters, queues_of
from ops.deployed import Stack, client, find_stack
from ops.letter import Chosen, entry_of
from ops.outcome import Outcome
from ops.progress import Progress
from ops.redrive import Dry
from ops.stopping import Stop
from ops.terminal import console


def command(  # noqa: PLR0913  a command has options
    why: Annotated[str, typer.Option(help="Why they are not needed; the log keeps it")],
    name: Owner = "",
    one: One = "",
    reason: Reason = "",
    stack: Stack = "relay",
    *,
    dry: Dry = False,
) -> Outcome:
    """Delete dead letters for good: a letter, a group, or those of a reaction."""
    if not (name or one or reason):
        raise SystemExit("drop needs ONE=, REASON= or NAME=; `make dead` lists them")
    found, chosen = find_stack(stack), Chosen(one, reason)
    queues = queues_of(found.resources, name)
    sqs = client("sqs")
    if dry:
        return preview(sqs, queues, chosen, "dropped")
    audit = open_audit(client, found.outputs["LogGroup"])
    dropped = 0
    with Stop() as stop:
        for owner, url in queues.items():
            letters = DeadLetters(sqs, url)
            try:
                dropped += drop(owner, letters, chosen, why, audit, stop)
            finally:
                letters.release()
            if stop:
                break
    if dropped or stop:
        console.print(f"{dropped} dropped; the log keeps why" + ", stopped" * bool(stop))
    else:
        console.print("no dead letter is chosen by that; `make dead` lists all")
    return Outcome({"dropped": dropped, "why": why}, left=bool(stop) or not dropped)


def drop(  # noqa: PLR0913, PLR0917  what the command was given
    owner: str, letters: DeadLetters, chosen: Chosen, why: str, audit: Audit, stop: Stop
) -> int:
    """Delete the chosen letters that were there at the start; return their number.

    The log has why before a letter is gone; raises botocore's errors.
    """
    dropped = looked = 0
    progress = Progress(f"dropping {owner}'s dead letters")
    for page in letters.pages():
        room = max(letters.counted, len(page) if not looked else 0) - looked
        looked += len(page)
        doomed = [letter for letter in page[:room] if chosen.takes(owner, letter)]
        if doomed:
            audit.note("dropped", [entry_of(owner, one) | {"why": why} for one in doomed])
            letters.delete(doomed)
        dropped += len(doomed)
        progress.at(looked, letters.counted)
        if stop or len(page) > room:
            break
    return dropped
