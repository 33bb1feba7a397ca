"""What functions know of a portal together: how far sweeps are, and which events came.

Table State: `sweep#<portal>` with owner, lease_until and the document of a sweep;
`seen#<portal>` with the time of the last event of each entity, and of the last missed change.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

WEEK_SECONDS = 7 * 24 * 3600
MISSED = "missed"


class LostLeaseError(RuntimeError):
    """When another sweep of this portal has taken over."""


class SweepState:
    """One document a portal, written by whoever holds the lease."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def acquire(self, portal: str, owner: str, now: float, seconds: float) -> dict[str, Any] | None:
        """Take the lease; returns the document, None where somebody else holds it."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key("sweep", portal),
                UpdateExpression="SET #owner = :owner, lease_until = :until",
                ConditionExpression="attribute_not_exists(lease_until) OR lease_until < :now",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={
                    ":owner": {"S": owner},
                    ":until": {"N": str(int(now + seconds))},
                    ":now": {"N": str(int(now))},
                },
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if _refused(error):
                return None
            raise
        return _document(answer["Attributes"])

    def save(
        self, portal: str, owner: str, document: dict[str, Any], lease_until: float = 0
    ) -> None:
        """Write the document if the lease is still ours; without an end the lease is given back.

        Raises LostLeaseError where it is not.
        """
        try:
            self._client.put_item(
                TableName=self._table,
                Item=_key("sweep", portal)
                | {
                    "owner": {"S": owner},
                    "lease_until": {"N": str(int(lease_until))},
                    "document": {"S": json.dumps(document, separators=(",", ":"))},
                },
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":owner": {"S": owner}},
            )
        except ClientError as error:
            if _refused(error):
                raise LostLeaseError(f"another sweep of {portal} has taken over") from error
            raise

    def read(self, portal: str) -> dict[str, Any]:
        """Return the document as it is now."""
        answer = self._client.get_item(TableName=self._table, Key=_key("sweep", portal))
        return _document(answer.get("Item", {}))


class Seen:
    """When which events came last, and when a change was missed by them."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def note(self, portal: str, names: set[str], now: float) -> None:
        """Note that events of these entities came, or that a change was MISSED."""
        ordered = sorted(names)
        self._client.update_item(
            TableName=self._table,
            Key=_key("seen", portal),
            UpdateExpression="SET " + ", ".join(f"#{i} = :now" for i in range(len(ordered))),
            ExpressionAttributeNames={f"#{i}": name for i, name in enumerate(ordered)},
            ExpressionAttributeValues={":now": {"N": str(int(now))}},
        )

    def read(self, portal: str) -> dict[str, float]:
        """Return the last time of each."""
        answer = self._client.get_item(TableName=self._table, Key=_key("seen", portal))
        found = answer.get("Item", {})
        return {name: float(value["N"]) for name, value in found.items() if name != "pk"}


def is_subscribed(seen: dict[str, float], entity: str, now: float) -> bool:
    """Say whether events of an entity are to be expected.

    They are not where others came within a week, but none of this one. Where none came at all,
    the webhook is dead rather than narrow.
    """
    lately = {name for name, at in seen.items() if name != MISSED and now - at < WEEK_SECONDS}
    return entity in lately or not lately


def is_silent(seen: dict[str, float], now: float, hours: float) -> bool:
    """Say whether changes were found for so many hours, and not one event came."""
    events = [at for name, at in seen.items() if name != MISSED]
    last = max(events, default=0)
    return seen.get(MISSED, 0) > last and now - last > hours * 3600


def _key(kind: str, portal: str) -> dict[str, Any]:
    return {"pk": {"S": f"{kind}#{portal}"}}


def _document(item: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(item["document"]["S"]) if "document" in item else {}
    return document


def _refused(error: ClientError) -> bool:
    return bool(error.response["Error"]["Code"] == "ConditionalCheckFailedException")
