"""What a checkpoint says of a reaction's writes, in words."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from ops.mapping import logical_id
from relay.reaction.checkpoint import Checkpoint, Write

RESULT_LETTERS = 24

type Checkpoints = Mapping[tuple[str, str], Checkpoint]  # by reaction and record id


def writes_of(record: str, who: str, checkpoints: Checkpoints, now: float) -> Iterator[str]:
    """Yield the writes of a reaction, by its name or its function's, for a record."""
    for (reaction, of_record), checkpoint in checkpoints.items():
        if of_record == record and who in {reaction, logical_id(reaction)}:
            for write in checkpoint.writes:
                yield written(write, checkpoint, now)


def written(write: Write, checkpoint: Checkpoint, now: float) -> str:
    """Return what became of a write."""
    if write.done:
        result = " ".join((write.result or "").split())
        return f"{write.method}: done {result[:RESULT_LETTERS]}".rstrip()
    until = f"{datetime.fromtimestamp(checkpoint.until, UTC):%H:%M:%S}"
    if checkpoint.until > now:
        return f"{write.method}: under way until {until} at most"
    return f"{write.method}: sent, its answer was lost; it is looked for"
