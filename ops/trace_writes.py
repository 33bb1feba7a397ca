"""What a checkpoint says of a reaction's writes, in words."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from relay.reaction.checkpoint import Checkpoint

RESULT_LETTERS = 24

type Checkpoints = Mapping[tuple[str, str], Checkpoint]  # by reaction and record id


def texts_of(checkpoint: Checkpoint, now: float) -> Iterator[str]:
    """Yield what became of each write of a checkpoint."""
    for write in checkpoint.writes:
        if write.done:
            result = " ".join((write.result or "").split())
            yield f"{write.method}: done {result[:RESULT_LETTERS]}".rstrip()
        elif checkpoint.until > now:
            until = f"{datetime.fromtimestamp(checkpoint.until, UTC):%H:%M:%S}"
            yield f"{write.method}: under way until {until} at most"
        else:
            yield f"{write.method}: sent, its answer is not known"
