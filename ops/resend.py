"""Changes on their way to a reaction's queue, as if they had just been announced.

What a reaction wrote for a change is recorded for 30 days. A change with all its writes done is not
sent; of any other the record keeps what was done from being done again. So each write is made once,
wherever a command is interrupted, and however often it is repeated.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from ops.ages import age
from ops.audit import Audit
from ops.deployed import Deployed
from ops.pace import Pace
from ops.progress import Progress
from ops.reactions import LocalReaction
from ops.recorded import checkpoints_of
from ops.send_back import BATCH, BATCH_BYTES
from ops.stopping import Stop
from ops.terminal import console, numbered, shown
from relay.change import Change
from relay.groups import groups
from relay.portal.batch import MAX_COMMANDS

DONE, MISSING, FAILED = "done", "missing", "failed"


class Sorted(NamedTuple):
    """Changes by what is recorded of them, and the writes that the done ones made."""

    done: list[Change]
    missing: list[Change]
    failed: list[Change]
    writes: int

    def chosen(self, only: str) -> list[Change]:
        """Return the changes that are to be sent, in their order; exits for another word."""
        match only:
            case "":
                chosen = self.missing + self.failed
            case "missing":
                chosen = self.missing
            case "failed":
                chosen = self.failed
            case _:
                raise SystemExit(f"ONLY is {MISSING} or {FAILED}, not {only!r}")
        return sorted(chosen, key=lambda one: (one.time, one.version))


def queue_of(reaction: LocalReaction, stack: Deployed) -> str:
    """Return the URL of a reaction's queue; exits where it is not deployed."""
    if reaction.queue not in stack.resources:
        raise SystemExit(
            f"{reaction.name} is not deployed in stack {stack.name}: add it to the list of "
            "reactions in template.yaml, then `make deploy`"
        )
    return stack.resources[reaction.queue]


def sort_changes(dynamodb: Any, stack: Deployed, name: str, changes: Sequence[Change]) -> Sorted:
    """Return changes by what is recorded of them for a reaction."""
    found = Sorted([], [], [], 0)
    writes = 0
    recorded = checkpoints_of(dynamodb, stack, name, changes)
    for change in changes:
        checkpoint = recorded[change.change_id]
        done = [one for one in checkpoint.writes if one.done]
        if checkpoint.failures or len(done) < len(checkpoint.writes):
            found.failed.append(change)
        else:
            (found.done if done else found.missing).append(change)
            writes += len(done)
    return found._replace(writes=writes)


def show_estimate(found: Sorted, chosen: Sequence[Change], rate: float) -> None:
    """Print what is recorded, what is sent, and what it is likely to take."""
    console.print(
        f"{len(found.done)} done, {len(found.missing)} without a recorded write, "
        f"{len(found.failed)} failed or unfinished; {len(chosen)} to be sent"
    )
    if found.done and chosen:
        writes = round(found.writes / len(found.done) * len(chosen))
        requests = -(-writes // MAX_COMMANDS)
        effort = f"{numbered(writes, 'write')} in {numbered(requests, 'request')}"
        console.print(f"about {effort}, if they write as the done ones did")
    if chosen and rate:
        console.print(f"sent within {age(len(chosen) / rate)}, {rate:g} a second")


def send(  # noqa: PLR0913, PLR0917  what a command was given
    sqs: Any, queue: str, changes: Sequence[Change], rate: float, stop: Stop, audit: Audit
) -> int:
    """Send changes in their order until the end or a signal; return how many were sent."""
    progress, sent, pace = Progress("changes sent"), 0, Pace(rate, BATCH, stop)
    for group in groups(changes, lambda one: len(one.to_json().encode()), pace.size, BATCH_BYTES):
        pace.wait(len(group))
        if stop:
            break
        answer = sqs.send_message_batch(
            QueueUrl=queue,
            Entries=[{"Id": str(at), "MessageBody": one.to_json()} for at, one in enumerate(group)],
        )
        failed = answer.get("Failed", [])
        sent += len(group) - len(failed)
        if failed:
            console.print(shown(f"SQS does not take {len(failed)}: {failed[0].get('Code')}"))
            break
        progress.at(sent, len(changes))
    audit.try_to_note("sent to a reaction again", [{"queue": queue, "changes": sent}])
    return sent


def counts(found: Sorted) -> Counter[str]:
    """Return how many changes are done, missing and failed."""
    return Counter({DONE: len(found.done), MISSING: len(found.missing), FAILED: len(found.failed)})
