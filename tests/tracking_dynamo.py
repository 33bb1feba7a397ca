"""The tables of tracking in memory: conditions, updates and projections hold as they are written.

tests/integration/test_tracking_tables.py makes the same requests to moto.
"""

import itertools
import re
from datetime import UTC, datetime

from botocore.exceptions import ClientError


def refused(item=None):
    """Return the error of a condition that does not hold."""
    error = ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "PutItem")
    if item:
        error.response["Item"] = item
    return error


def holds(condition, row, options):
    """Say whether a condition as it is written holds for a row."""
    names = options.get("ExpressionAttributeNames", {})
    values = options.get("ExpressionAttributeValues", {})

    def stored(name):
        return row.get(names.get(name, name))

    def compare(name, operator, value):
        one, other = stored(name), values[value]
        if one is None:
            return operator == "<>"
        if operator == "<":
            return float(one["N"]) < float(other["N"])
        return (one == other) is (operator == "=")

    def exists(name):
        return stored(name) is not None

    python = re.sub(r"attribute_not_exists\((\S+?)\)", r"not exists('\1')", condition)
    python = re.sub(r"([#\w]+) (=|<>|<) (:\w+)", r"compare('\1', '\2', '\3')", python)
    python = python.replace(" AND ", " and ").replace(" OR ", " or ")
    return eval(python, {"exists": exists, "compare": compare})  # noqa: S307  our own conditions


def project(item, options):
    """Return a copy of what a request asked for of an item."""
    names = options.get("ExpressionAttributeNames", {})
    wanted = {names.get(one, one) for one in options["ProjectionExpression"].split(", ")}
    return {name: value for name, value in item.items() if name in wanted}


class FakeDynamo:
    """Three tables; conditions, updates and projections hold as they are written."""

    def __init__(self):
        self.mirror, self.state, self.history, self.stream = {}, {}, {}, []
        self.trouble = None
        self.made = datetime.fromtimestamp(0, UTC)
        self.numbers = itertools.count(1)

    def _key(self, key):
        return key["pk"]["S"], int(key["id"]["N"])

    def _write(self, key, item):
        old = self.mirror.get(key)
        self.mirror[key] = item
        number = str(next(self.numbers))
        images = {"NewImage": item, "SequenceNumber": number} | ({"OldImage": old} if old else {})
        self.stream.append({"eventName": "MODIFY" if old else "INSERT", "dynamodb": images})

    def put_item(self, *, TableName, Item, ConditionExpression="", **options):  # noqa: N803
        """Put under one of the conditions, in the history without one."""
        if self.trouble:
            raise self.trouble
        if TableName == "History":
            self.history[Item["pk"]["S"], Item["sk"]["S"]] = Item
            return
        if TableName == "State":
            if not holds(
                ConditionExpression or "True", self.state.get(Item["pk"]["S"], {}), options
            ):
                raise refused()
            self.state[Item["pk"]["S"]] = Item
            return
        key = self._key(Item)
        old = self.mirror.get(key)
        if not holds(ConditionExpression, old or {}, options):
            returned = options["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
            raise refused(old if returned else None)
        self._write(key, Item)

    def batch_get_item(self, *, RequestItems):  # noqa: N803
        """Return the rows of the keys."""
        if self.trouble:
            raise self.trouble
        if "State" in RequestItems:  # announce: what reactions wrote
            names = [key["pk"]["S"] for key in RequestItems["State"]["Keys"]]
            return {"Responses": {"State": [self.state[n] for n in names if n in self.state]}}
        ask = RequestItems["Mirror"]
        keys = [self._key(key) for key in ask["Keys"]]
        assert 0 < len(keys) == len(set(keys)) <= 100
        rows = [project(self.mirror[key], ask) for key in keys if key in self.mirror]
        return {"Responses": {"Mirror": rows}}

    def batch_write_item(self, *, RequestItems):  # noqa: N803
        """Put or delete rows of the history."""
        if self.trouble:
            raise self.trouble
        if "DeleteRequest" in RequestItems["History"][0]:
            for one in RequestItems["History"]:
                key = one["DeleteRequest"]["Key"]
                del self.history[key["pk"]["S"], key["sk"]["S"]]
            return {}
        puts = [one["PutRequest"]["Item"] for one in RequestItems["History"]]
        rows = {(row["pk"]["S"], row["sk"]["S"]): row for row in puts}
        assert 0 < len(rows) == len(puts) <= 25
        self.history |= rows
        return {}

    def query(self, *, ExpressionAttributeValues, **ask):  # noqa: N803
        """Return the rows of a range."""
        if ask["TableName"] == "History":
            assert ask["KeyConditionExpression"] == "pk = :pk AND sk < :until"
            assert ask["ConsistentRead"] is True  # what was announced is in it
            pk, until = (ExpressionAttributeValues[name]["S"] for name in (":pk", ":until"))
            found = [key for key in sorted(self.history, reverse=True) if key[0] == pk]
            rows = [self.history[key] for key in found if key[1] < until]
            return {"Items": rows[: ask.get("Limit")]}
        assert ask["KeyConditionExpression"] == "pk = :pk AND id BETWEEN :low AND :high"
        values = ExpressionAttributeValues
        low, high = int(values[":low"]["N"]), int(values[":high"]["N"])
        rows = [
            project(row, ask)
            for (pk, number), row in sorted(self.mirror.items())
            if pk == values[":pk"]["S"] and low <= number <= high
        ]
        return {"Items": rows}

    def describe_table(self, *, TableName):  # noqa: N803
        """Return when the table was made: before everything."""
        return {"Table": {"TableName": TableName, "CreationDateTime": self.made}}

    def get_item(self, *, Key, ConsistentRead=False, **_):  # noqa: N803
        """Return a row of the mirror, or a state."""
        if "id" in Key:
            found = self.mirror.get(self._key(Key))
            return {"Item": found} if found else {}
        assert ConsistentRead or not Key["pk"]["S"].startswith("brake#")
        found = self.state.get(Key["pk"]["S"])
        return {"Item": found} if found else {}

    def update_item(self, *, Key, UpdateExpression, **options):  # noqa: N803
        """Do what one of the updates says."""
        values = options["ExpressionAttributeValues"]
        names = options.get("ExpressionAttributeNames", {})
        mirrored = "id" in Key
        before = self.mirror[self._key(Key)] if mirrored else self.state.get(Key["pk"]["S"], {})
        if not holds(options.get("ConditionExpression", "True"), before, options):
            raise refused(before if mirrored else None)
        row = before | Key
        set_part, _, remove = UpdateExpression.partition(" REMOVE ")
        for one in set_part.removeprefix("SET ").split(", "):
            name, _, at = one.partition(" = ")
            row[names.get(name, name)] = values[at]
        row.pop(remove, None)
        if mirrored:
            self._write(self._key(Key), row)
            return None
        self.state[Key["pk"]["S"]] = row
        return {"Attributes": before if options.get("ReturnValues") == "ALL_OLD" else row}
