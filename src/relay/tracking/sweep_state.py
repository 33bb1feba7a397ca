"""How far each portal's sweeps are: one document a portal, written by whoever holds its lease.

State table: `sweep#<portal>` with owner, lease_until and the document.
"""

import json
from typing import Any

from relay.errors import ConditionFailedError, LostLeaseError
from relay.state_table import conditional, key, sweep_key


class SweepState:
    """One document a portal, written by whoever holds the lease."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def acquire(self, portal: str, owner: str, now: float, seconds: float) -> dict[str, Any] | None:
        """Take the lease; returns the document, None where somebody else holds it."""
        try:
            with conditional():
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=key(sweep_key(portal)),
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
        except ConditionFailedError:
            return None
        return _document(answer["Attributes"])

    def save(
        self, portal: str, owner: str, document: dict[str, Any], lease_until: float = 0
    ) -> None:
        """Write the document if the lease is still ours; without an end the lease is given back.

        Raises LostLeaseError where it is not.
        """
        try:
            with conditional():
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        **key(sweep_key(portal)),
                        "owner": {"S": owner},
                        "lease_until": {"N": str(int(lease_until))},
                        "document": {"S": json.dumps(document, separators=(",", ":"))},
                    },
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": {"S": owner}},
                )
        except ConditionFailedError as error:
            raise LostLeaseError(f"another sweep of {portal} has taken over") from error

    def read(self, portal: str) -> dict[str, Any]:
        """Return the document as it is now."""
        answer = self._client.get_item(TableName=self._table, Key=key(sweep_key(portal)))
        return _document(answer.get("Item", {}))


def _document(item: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(item["document"]["S"]) if "document" in item else {}
    return document
