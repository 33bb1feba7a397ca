"""A State table in memory, for tests with thousands of requests.

tests/integration/test_state_requests.py holds it to moto. `trouble` and `unprocessed` let it fail.
"""

import pickle
import re
import threading

from botocore.exceptions import ClientError


def copied(value):
    """Return a deep copy, ten times as fast as deepcopy's."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301  our own value


class CanceledError(ClientError):
    """Raised when a transaction is canceled."""


class Exceptions:
    """The errors of a client."""

    TransactionCanceledException = CanceledError


class Dynamo:
    """Rows by their `pk`; `asked` lists the operations, `trouble` has the error that one raises."""

    exceptions = Exceptions

    def __init__(self):
        self.rows, self.asked, self.trouble = {}, [], {}
        self.unprocessed = 0
        self._alone = threading.Lock()

    def _ask(self, operation):
        self.asked.append(operation)
        if operation in self.trouble:
            raise self.trouble[operation].with_traceback(None)

    def batch_get_item(self, RequestItems):  # noqa: N803  boto3's names
        """Return the rows of these keys."""
        self._ask("BatchGetItem")
        ((table, ask),) = RequestItems.items()
        assert ask["ConsistentRead"] is True
        if self.unprocessed:
            self.unprocessed -= 1
            return {"Responses": {table: []}, "UnprocessedKeys": RequestItems}
        keys = [key["pk"]["S"] for key in ask["Keys"]]
        assert len(keys) <= 100
        rows = [copied(self.rows[key]) for key in keys if key in self.rows]
        return {"Responses": {table: rows}}

    def batch_write_item(self, RequestItems):  # noqa: N803
        """Put rows."""
        self._ask("BatchWriteItem")
        ((table, puts),) = RequestItems.items()
        assert len(puts) <= 25
        if self.unprocessed:
            self.unprocessed -= 1
            return {"UnprocessedItems": {table: puts}}
        for put in puts:
            item = put["PutRequest"]["Item"]
            self.rows[item["pk"]["S"]] = copied(item)
        return {}

    def put_item(self, **request):
        """Put a row under a condition."""
        self._ask("PutItem")
        with self._alone:
            self._judge(request)
            self.rows[request["Item"]["pk"]["S"]] = copied(request["Item"])

    def update_item(self, **request):
        """Change a row under a condition."""
        self._ask("UpdateItem")
        with self._alone:
            self._judge(request)
            self._update(request)

    def _judge(self, request):
        reason = self._reason(request)
        if reason["Code"] != "None":
            error = {"Error": {"Code": "ConditionalCheckFailedException"}}
            item = {"Item": reason["Item"]} if "Item" in reason else {}
            raise ClientError(error | item, "PutItem")

    def transact_write_items(self, TransactItems):  # noqa: N803
        """Put and check all or nothing."""
        self._ask("TransactWriteItems")
        assert len(TransactItems) <= 100
        parts = [next(iter(part.values())) for part in TransactItems]
        if len({(part.get("Item") or part["Key"])["pk"]["S"] for part in parts}) < len(parts):
            text = "Transaction request cannot include multiple operations on one item"
            error = {"Error": {"Code": "ValidationException", "Message": text}}
            raise ClientError(error, "TransactWriteItems")
        reasons = [self._reason(part) for part in parts]
        if any(reason["Code"] != "None" for reason in reasons):
            error = {"Error": {"Code": "TransactionCanceledException"}}
            raise CanceledError(error | {"CancellationReasons": reasons}, "TransactWriteItems")
        for part in TransactItems:
            if "Put" in part:
                self.rows[part["Put"]["Item"]["pk"]["S"]] = copied(part["Put"]["Item"])

    def _reason(self, part):
        key = (part.get("Item") or part["Key"])["pk"]["S"]
        row = self.rows.get(key)
        if self._holds(row or {}, part):
            return {"Code": "None"}
        reason = {"Code": "ConditionalCheckFailed"}
        returned = part.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and row
        return reason | ({"Item": copied(row)} if returned else {})

    def _holds(self, row, part):
        if "ConditionExpression" not in part:
            return True
        names, values = (
            part.get("ExpressionAttributeNames", {}),
            part.get("ExpressionAttributeValues"),
        )
        terms = [term.strip() for term in part["ConditionExpression"].split(" AND ")]
        terms = [term[1:-1] if term.startswith("(") else term for term in terms]
        return all(
            any(self._is_met(row, one, names, values) for one in term.split(" OR "))
            for term in terms
        )

    def _is_met(self, row, term, names, values):
        function, name, value = re.fullmatch(
            r"(?:(\w+)\()?([#\w]+)\)?(?:,? (?:[<>]?= )?(:\w+)\)?)?", term
        ).groups()
        stored, given = row.get(names.get(name, name)), (values or {}).get(value)
        if function in {"attribute_exists", "attribute_not_exists"}:
            return (stored is not None) == (function == "attribute_exists")
        if stored is None:
            return False
        if function == "size":
            return len(stored["SS"]) <= int(given["N"])
        if function == "contains":
            return given["S"] in stored["SS"]
        if "<" in term or ">" in term:
            less, more = sorted((stored, given), key=lambda value: float(value["N"]))
            return stored == given or (stored if "<" in term else given) == less != more
        return stored == given

    def _update(self, update):
        row = self.rows.setdefault(update["Key"]["pk"]["S"], {"pk": update["Key"]["pk"]})
        names, values = update["ExpressionAttributeNames"], update["ExpressionAttributeValues"]
        clauses = re.split(r" ?\b(SET|ADD|DELETE|REMOVE) ", update["UpdateExpression"])
        for clause, parts in zip(clauses[1::2], clauses[2::2], strict=True):
            for part in parts.split(", "):
                name, _, value = part.replace(" = ", " ").partition(" ")
                old = row.pop(names[name], None)
                new = _changed(clause, old, values.get(value))
                if new:
                    row[names[name]] = new


def _changed(clause, old, given):
    if clause in {"SET", "REMOVE"}:
        return given
    if "N" in given:
        return {"N": str(int((old or {"N": "0"})["N"]) + int(given["N"]))}
    members = set((old or {"SS": []})["SS"])
    members = members | set(given["SS"]) if clause == "ADD" else members - set(given["SS"])
    return {"SS": sorted(members)} if members else None
