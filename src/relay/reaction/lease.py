"""A record's row, taken for one run: until that is over nobody else sends or stores for it.

The first time it is stored under a condition, after that simply put: conditions cost a transaction,
and nobody else writes a row that is taken.
"""

import time
from typing import Any

from relay.errors import TransientError
from relay.reaction.checkpoint import CLOCK_SECONDS, Row
from relay.state_table import StateTable

AGAIN_SECONDS = 30.0  # at most, until a record that another copy works on is looked at again


class Lease:
    """The right to write a row; `until` is when nothing of this run can be under way any more."""

    def __init__(self, row: Row, token: str, until: float, state: StateTable) -> None:
        self.row = row
        self.token = token
        self.until = until
        self._state = state

    @property
    def is_ours(self) -> bool:
        """Whether this run has taken the row."""
        return self.row.owner == self.token

    def check(self, method: str = "") -> None:
        """Raise TransientError while another run has the row."""
        seconds = self.row.until + CLOCK_SECONDS - time.time()
        if self.row.owner and not self.is_ours and seconds > 0:
            said = "another delivery of this record is at work, or was killed"
            seconds = min(seconds, AGAIN_SECONDS)
            raise TransientError(method or "reaction", "IN_PROGRESS", said, retry_after=seconds)

    async def store(self) -> None:
        """Store the row, and have it from now on."""
        await self._state.write(_Saved(self))
        self.row.owner, self.row.until = self.token, self.until

    async def end(self, until: float) -> None:
        """Store the row and give it free from a time on: nothing more is to come."""
        self.row.until = until
        await self._state.write(_Saved(self))


class _Saved:
    """A row on its way into the table."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.name = f"row {lease.row.key}"

    @property
    def conditional(self) -> bool:
        """Whether the row is not this run's yet."""
        return not self._lease.is_ours

    def merge(self, other: Any) -> None:
        """Take in nothing: the row is written as it is when the request leaves."""

    def make(self, table: str) -> dict[str, Any]:
        """Return the row's item, or the transaction that takes it."""
        lease, seen = self._lease, self._lease.row.owner
        item = lease.row.to_item(time.time())
        if lease.is_ours:
            return item
        lease.check()
        item |= {"owner": {"S": lease.token}, "until": {"N": f"{lease.until:.3f}"}}
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if seen:
            # Whoever wrote it last has ended: until is over, and only a new owner writes now.
            condition = {
                "ConditionExpression": "#owner = :seen",
                "ExpressionAttributeNames": {"#owner": "owner"},
                "ExpressionAttributeValues": {":seen": {"S": seen}},
            }
        again = "ReturnValuesOnConditionCheckFailure"
        return {"Put": {"TableName": table, "Item": item, **condition, again: "ALL_OLD"}}
