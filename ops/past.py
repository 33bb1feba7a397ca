"""The past of a deployed stack's items, read from the tables *Mirror* and *History*."""

import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from ops.deployed import Deployed
from ops.timeline import Timeline
from relay.errors import NotOursError
from relay.history import DAY_SECONDS, History, keys_of
from relay.tracking.row import Key, Row


class Past:
    """The past of a deployed stack's items."""

    def __init__(self, dynamodb: Any, stack: Deployed) -> None:
        self.history_table, self.mirror_table = stack.resource("History"), stack.resource("Mirror")
        self.dynamodb, self.stack = dynamodb, stack
        self.history = History(dynamodb, self.history_table)
        self._days = int(stack.parameters.get("HistoryDays", "0"))

    @cached_property
    def _table(self) -> dict[str, Any]:
        found: dict[str, Any] = self.dynamodb.describe_table(TableName=self.history_table)["Table"]
        return found

    def begins(self) -> float:
        """Return from when on (epoch s) the history has each change."""
        made: float = self._table["CreationDateTime"].timestamp()
        return max(made, time.time() - self._days * DAY_SECONDS) if self._days else made

    def count(self) -> int:
        """Return how many changes the history has, as AWS counted them some hours ago."""
        return int(self._table.get("ItemCount", 0))

    def row(self, key: Key) -> Row:
        """Return the mirror's row of an item; exits where it never had the item."""
        found = self.dynamodb.get_item(
            TableName=self.mirror_table, Key=key.to_item(), ConsistentRead=True
        )
        if "Item" not in found:
            raise SystemExit(
                f"{key.entity}/{key.id} was never read from portal {key.portal}: is the number "
                "right, and PORTAL=…?"
            )
        return Row.of(found["Item"])

    def rows(self, keys: Sequence[Key]) -> list[Row]:
        """Return the mirror's rows of at most 100 items; items that it never had are left out."""
        ask: dict[str, Any] = {
            self.mirror_table: {"Keys": [key.to_item() for key in keys], "ConsistentRead": True}
        }
        found: list[Row] = []
        while ask:
            answer = self.dynamodb.batch_get_item(RequestItems=ask)
            found += map(Row.of, answer["Responses"].get(self.mirror_table, []))
            ask = answer.get("UnprocessedKeys") or {}
        return found

    def kind(self, portal: str, entity: str) -> Iterator[Row]:
        """Yield the mirror's rows of a kind of items."""
        ask: dict[str, Any] = {
            "TableName": self.mirror_table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": f"{portal}/{entity}"}},
        }
        while True:
            answer = self.dynamodb.query(**ask)
            yield from map(Row.of, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def last_version(self, row: Row) -> int:
        """Return the version of an item's last change; 1 if it never changed."""
        key = row.key
        for past in self.history.of_item(key.portal, f"{key.entity}/{key.id}", limit=1):
            if keys_of(past.change_id)[1].partition(".")[0] == row.born:
                return past.version
        return 1

    def timeline(self, key: Key) -> Timeline:
        """Return what is known of an item; exits where the mirror never had it."""
        row = self.row(key)  # first: rows that come meanwhile are left out below
        rows = [
            past
            for past in self.history.of_item(key.portal, f"{key.entity}/{key.id}")
            if keys_of(past.change_id)[1].partition(".")[0] == row.born and past.version <= row.seq
        ]
        return Timeline(key, row, rows, self.begins())

    def change(self, change_id: str) -> tuple[Key, int]:
        """Return the item and the version of a change's id; exits where it is no such id."""
        try:
            keys_of(change_id)
        except NotOursError as wrong:
            raise SystemExit(str(wrong)) from None
        portal, entity, number, _, version = change_id.split(".")
        return Key(portal, entity, int(number)), int(version)
