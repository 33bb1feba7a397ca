"""When events came, and when they missed a change: whether the outgoing webhook is alive.

State table: `seen#<portal>` with the time of the last event of each entity, and of the last change
that no event announced.
"""

from typing import Any

from relay.state_table import events_key, key

WEEK_SECONDS = 7 * 24 * 3600
MISSED = "missed"


class LastEvents:
    """When which events came last, and when a change was missed by them."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def note(self, portal: str, names: set[str], now: float) -> None:
        """Note that events of these entities came, or that a change was MISSED."""
        ordered = sorted(names)
        self._client.update_item(
            TableName=self._table,
            Key=key(events_key(portal)),
            UpdateExpression="SET " + ", ".join(f"#{i} = :now" for i in range(len(ordered))),
            ExpressionAttributeNames={f"#{i}": name for i, name in enumerate(ordered)},
            ExpressionAttributeValues={":now": {"N": str(int(now))}},
        )

    def read(self, portal: str) -> dict[str, float]:
        """Return the last time of each."""
        answer = self._client.get_item(TableName=self._table, Key=key(events_key(portal)))
        found = answer.get("Item", {})
        return {name: float(value["N"]) for name, value in found.items() if name != "pk"}


def is_subscribed(times: dict[str, float], entity: str, now: float) -> bool:
    """Say whether events of an entity are to be expected.

    They are not where others came within a week, but none of this one. Where none came at all,
    the webhook is dead rather than narrow.
    """
    lately = {name for name, at in times.items() if name != MISSED and now - at < WEEK_SECONDS}
    return entity in lately or not lately


def is_silent(times: dict[str, float], now: float, hours: float) -> bool:
    """Say whether changes were found for so many hours, and not one event came."""
    events = [at for name, at in times.items() if name != MISSED]
    last = max(events, default=0)
    return times.get(MISSED, 0) > last and now - last > hours * 3600
