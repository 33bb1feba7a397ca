"""Times of the last events of a portal: they show whether its outgoing webhook works.

State table: `seen#<portal>` with the time of the last event of each kind, and under MISSED of the
last change that no event reported. Times are seconds since 1970.
"""

from relay.aws_types import Client
from relay.state_table import events_key, key

WEEK_SECONDS = 7 * 24 * 3600
MISSED = "missed"


class LastEvents:
    """The rows with these times."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def note(self, portal: str, names: set[str], now: float) -> None:
        """Note that events of these kinds came now, or with MISSED that one did not come."""
        ordered = sorted(names)
        self._client.update_item(
            TableName=self._table,
            Key=key(events_key(portal)),
            UpdateExpression="SET " + ", ".join(f"#{i} = :now" for i in range(len(ordered))),
            ExpressionAttributeNames={f"#{i}": name for i, name in enumerate(ordered)},
            ExpressionAttributeValues={":now": {"N": str(int(now))}},
        )

    def read(self, portal: str) -> dict[str, float]:
        """Return the last time of each kind, and of MISSED."""
        answer = self._client.get_item(TableName=self._table, Key=key(events_key(portal)))
        row = answer.get("Item", {})
        return {name: float(value["N"]) for name, value in row.items() if name != "pk"}


def is_subscribed(times: dict[str, float], entity: str, now: float) -> bool:
    """Say whether the portal is expected to send events of a kind."""
    # It is not if events of other kinds came within a week, but none of this kind. If none came at
    # all, the webhook is dead rather than limited to other kinds.
    lately = {name for name, at in times.items() if name != MISSED and now - at < WEEK_SECONDS}
    return entity in lately or not lately


def is_silent(times: dict[str, float], now: float, hours: float) -> bool:
    """Say whether no event came for so many hours although a change was found since the last."""
    events = [at for name, at in times.items() if name != MISSED]
    last = max(events, default=0)
    return times.get(MISSED, 0) > last and now - last > hours * 3600
