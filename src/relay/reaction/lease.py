"""The lease on a record's checkpoint: until it is over, no other run sends or stores anything.

The checkpoint is stored under a condition the first time, after that simply put, many in a request:
nobody else writes a row under a lease.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from relay.errors import TransientError
from relay.reaction.checkpoint import CLOCK_SECONDS, Checkpoint
from relay.reaction.equal_calls import EqualCalls
from relay.state_batch import StateBatch
from relay.state_writes import Condition, Put

RETRY_SECONDS = 30.0  # at most, until the record of a running delivery is tried again


@dataclass(eq=False)
class Lease:
    """The right of one run, identified by a token, to write a checkpoint."""

    checkpoint: Checkpoint
    token: str
    until: float  # epoch s; from then on nothing of this run can be under way
    batch: StateBatch
    equal_calls: EqualCalls

    @property
    def is_ours(self) -> bool:
        """Whether this run holds the lease."""
        return self.checkpoint.owner == self.token

    def check(self, method: str = "") -> None:
        """Raise TransientError while another run holds the lease."""
        seconds = self.checkpoint.until + CLOCK_SECONDS - time.time()
        if not self.is_ours and seconds > 0:
            text = "another delivery of this record is running, or was killed"
            seconds = min(seconds, RETRY_SECONDS)
            raise TransientError(method or "reaction", "IN_PROGRESS", text, retry_after=seconds)

    async def store(self) -> None:
        """Store the checkpoint, and hold the lease from now on.

        Raises ConditionFailedError with the stored row where another run was faster, maybe for an
        equal call of a robot, TransientError while it holds the lease, StateError and RowError.
        """
        await self.batch.write(self.checkpoint.key, self, _put)
        self.checkpoint.owner, self.checkpoint.until = self.token, self.until

    async def end(self, until: float) -> None:
        """Store the checkpoint and let the lease end at a time (epoch s); raises as `store`."""
        self.checkpoint.until = until
        await self.batch.write(self.checkpoint.key, self, _put)


def _put(leases: Sequence[Lease]) -> Put:
    """Return the checkpoint as it is now, with the condition that takes the lease if need be."""
    lease = leases[0]
    checkpoint, equal_calls = lease.checkpoint, lease.equal_calls
    if not checkpoint.owner:
        checkpoint.called_at = equal_calls.called_at
    item = checkpoint.to_item(time.time())
    if lease.is_ours:
        return Put(item)
    lease.check()
    item = {**item, "owner": {"S": lease.token}, "until": {"N": f"{lease.until:.3f}"}}
    former = checkpoint.owner
    if not former:
        return Put(item, Condition("attribute_not_exists(pk)"), equal_calls.checks())
    # The former owner has ended: `until` is over, and only a new owner writes now.
    return Put(item, Condition("#owner = :former", {"#owner": "owner"}, {":former": {"S": former}}))
