"""How many items may disappear unannounced: beyond it they wait until an operator looked.

A webhook whose owner lost rights, or a portal restored from an old backup, looks like a mass
deletion. State: `brake#<portal>` with hour, count, tripped (since), released (until).
"""

from typing import Any

from relay.errors import ConditionFailedError, StateError
from relay.state_table import brake_key, conditional, key

LEAST = 20
TRIES = 10  # of a count that other functions change at the same time: there are few of them
SHARE = 0.05
HOUR_SECONDS = 3600
RELEASE_SECONDS = 24 * HOUR_SECONDS


class Brake:
    """The disappearances of each portal, counted over all functions by the hour."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def take(self, portal: str, wanted: int, rows: int, now: float) -> int:
        """Return how many of `wanted` may be put; none once the brake has tripped.

        Functions that count at the same time read again; raises StateError if one never wins.
        """
        for _ in range(TRIES):
            granted = self._take(portal, wanted, rows, now)
            if granted is not None:
                return granted
        raise StateError(f"the disappearances of {portal} are counted by too many at once")

    def _take(self, portal: str, wanted: int, rows: int, now: float) -> int | None:
        """Return how many may be put; None where another function counted meanwhile."""
        state = self._state(portal)
        if now < float(state.get("released", {"N": "0"})["N"]):
            return wanted
        if "tripped" in state:
            return 0
        limit = max(LEAST, int(rows * SHARE))
        hour = int(now // HOUR_SECONDS)
        used = int(state["used"]["N"]) if int(state.get("hour", {"N": "0"})["N"]) == hour else 0
        granted = max(0, min(wanted, limit - used))
        change = "SET #hour = :hour, used = :used" + (", tripped = :now" * (granted < wanted))
        values = {":hour": hour, ":used": used + granted, ":was": used}
        if granted < wanted:
            values[":now"] = int(now)
        same = "(attribute_not_exists(used) OR #hour <> :hour OR used = :was)"
        try:
            with conditional():
                self._client.update_item(
                    TableName=self._table,
                    Key=key(brake_key(portal)),
                    UpdateExpression=change,
                    ConditionExpression=f"{same} AND attribute_not_exists(tripped)",
                    ExpressionAttributeNames={"#hour": "hour"},
                    ExpressionAttributeValues={name: {"N": str(n)} for name, n in values.items()},
                )
        except ConditionFailedError:
            return None
        return granted

    def release(self, portal: str, now: float) -> bool:
        """Let what waits, and what vanishes until tomorrow, through; says whether any waited."""
        was = self._client.update_item(
            TableName=self._table,
            Key=key(brake_key(portal)),
            UpdateExpression="SET released = :until REMOVE tripped",
            ExpressionAttributeValues={":until": {"N": str(int(now + RELEASE_SECONDS))}},
            ReturnValues="ALL_OLD",
        )
        return "tripped" in was.get("Attributes", {})

    def tripped(self, portal: str) -> float | None:
        """Return since when disappearances of a portal are held back; None where they are not."""
        state = self._state(portal)
        return float(state["tripped"]["N"]) if "tripped" in state else None

    def _state(self, portal: str) -> dict[str, Any]:
        answer = self._client.get_item(
            TableName=self._table, Key=key(brake_key(portal)), ConsistentRead=True
        )
        state: dict[str, Any] = answer.get("Item", {})
        return state
