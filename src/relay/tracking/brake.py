"""How many items may vanish without an event before deletions wait for an operator.

A webhook whose owner lost rights, or a portal restored from an old backup, looks like a mass
deletion. State table: `brake#<portal>` with hour, used (deletions of that hour), tripped (since)
and released (until); times are seconds since 1970.
"""

from relay.aws_types import Client, Item
from relay.errors import ConditionFailedError, StateError
from relay.state_table import brake_key, conditional, key

LEAST = 20  # deletions that an hour allows at least, and
SHARE = 0.05  # of the portal's rows
TRIES = 10  # of a count that other functions change at the same time: there are few of them
HOUR_SECONDS = 3600
RELEASE_SECONDS = 24 * HOUR_SECONDS


class Brake:
    """The deletions without an event of each portal, counted over all functions by the hour."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def take(self, portal: str, wanted: int, rows: int, now: float) -> int:
        """Return how many of `wanted` deletions may be put, 0 once tripped; raises StateError."""
        for _ in range(TRIES):
            state = self._state(portal)
            if now < _number(state, "released"):
                return wanted
            if "tripped" in state:
                return 0
            hour = int(now // HOUR_SECONDS)
            used = int(_number(state, "used")) if _number(state, "hour") == hour else 0
            granted = max(0, min(wanted, max(LEAST, int(rows * SHARE)) - used))
            change = "SET #hour = :hour, used = :used"
            values = {":hour": hour, ":used": used + granted, ":was": used}
            if granted < wanted:
                change += ", tripped = :now"
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
                        ExpressionAttributeValues={
                            name: {"N": str(value)} for name, value in values.items()
                        },
                    )
            except ConditionFailedError:
                continue  # another function counted meanwhile
            return granted
        raise StateError(f"the disappearances of {portal} are counted by too many at once")

    def release(self, portal: str, now: float) -> bool:
        """Let held deletions through, and all of the next 24 hours; returns if any were held."""
        was = self._client.update_item(
            TableName=self._table,
            Key=key(brake_key(portal)),
            UpdateExpression="SET released = :until REMOVE tripped",
            ExpressionAttributeValues={":until": {"N": str(int(now + RELEASE_SECONDS))}},
            ReturnValues="ALL_OLD",
        )
        return "tripped" in was.get("Attributes", {})

    def tripped(self, portal: str) -> float | None:
        """Return since when the deletions of a portal are held; None if they are not."""
        state = self._state(portal)
        return _number(state, "tripped") if "tripped" in state else None

    def _state(self, portal: str) -> Item:
        answer = self._client.get_item(
            TableName=self._table, Key=key(brake_key(portal)), ConsistentRead=True
        )
        state: Item = answer.get("Item", {})
        return state


def _number(state: Item, name: str) -> float:
    return float(state[name]["N"]) if name in state else 0
