"""A portal for tests of tracking: items under the test's control, calls answered in batches."""

import asyncio
import re
from datetime import datetime
from urllib.parse import parse_qsl

import boto3

from relay.errors import PermanentError

PAGE = 50
BATCH = 50
TIME = "2026-03-01T12:00:00+03:00"


def make_tables():
    """Make the two tables of the template in a mocked DynamoDB; returns the client."""
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="Mirror",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "id", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "id", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.create_table(
        TableName="State",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


def seconds(time):
    """Return a portal's time as seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


class ItemsPortal:
    """Items by type (tasks: 0) and id; what was asked, and in how many requests."""

    def __init__(self, types=(1, 2, 3, 4, 7, 31, 0)):
        self.items = {number: {} for number in types}
        self.forbidden = set()  # (type, id) or (type, None) for all of a type
        self.trouble = {}  # (method, type) -> exception
        self.calls = []
        self.requests = 0
        self.filter_shift = 0  # seconds that a time in a filter is read later
        self.clock = lambda: seconds(TIME)
        self._waiting = []

    def put(self, type_id, item_id, **fields):
        """Add or change an item."""
        kept = self.items[type_id].setdefault(item_id, {"id": item_id})
        default = {"changedDate" if type_id == 0 else "updatedTime": TIME}
        kept.update(default | fields)
        return kept

    async def call(self, method, /, **params):
        """Answer a call together with all others that wait at the same time."""
        self.calls.append((method, params))
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._waiting.append((method, params, done))
        if len(self._waiting) == 1:
            loop.call_later(0, loop.call_soon, self._flush)
        return await done

    def _flush(self):
        waiting, self._waiting = self._waiting, []
        self.requests += -(-len(waiting) // BATCH)
        for method, params, done in waiting:
            if done.cancelled():
                continue
            try:
                done.set_result(self.answer(method, params))
            except Exception as error:  # noqa: BLE001  whatever the test wants
                done.set_exception(error)

    def answer(self, method, params):
        """Return what a method answers now."""
        if method == "batch":
            return self._batch(params["cmd"])
        type_id = 0 if method.startswith("tasks.") else int(params.get("entityTypeId", 0))
        if (method, type_id) in self.trouble:
            raise self.trouble[method, type_id]
        if method == "server.time":
            return datetime.fromtimestamp(
                self.clock(), tz=datetime.fromisoformat(TIME).tzinfo
            ).isoformat(timespec="seconds")
        if method == "crm.type.list":
            return {"types": [{"entityTypeId": n} for n in self.items if n >= 128]}
        if type_id not in self.items:
            raise PermanentError(method, "NOT_FOUND", "type")
        name = "task" if type_id == 0 else "item"
        if method.endswith(".list"):
            return {name + "s": self._list(type_id, params)}
        item_id = int(params.get("id", params.get("taskId")))
        if item_id not in self.items[type_id]:
            raise PermanentError(method, "0" if type_id == 0 else "NOT_FOUND")
        if self._hidden(type_id, item_id):
            raise PermanentError(method, "ACCESS_DENIED")
        return {name: dict(self.items[type_id][item_id])}

    def _hidden(self, type_id, item_id):
        return bool({(type_id, item_id), (type_id, None)} & self.forbidden)

    def _list(self, type_id, params):
        rules = {name.lower(): value for name, value in params["filter"].items()}
        found = []
        for item_id, item in sorted(self.items[type_id].items()):
            changed = item["changedDate" if type_id == 0 else "updatedTime"]
            since = rules.get(">=updatedtime") or rules.get(">=changed_date")
            ids = rules.get("@id", rules.get("id"))
            if (
                self._hidden(type_id, item_id)
                or (ids is not None and item_id not in {int(one) for one in ids})
                or item_id <= int(rules.get(">id", 0))
                or item_id < int(rules.get(">=id", 0))
                or (since and seconds(changed) < seconds(since) + self.filter_shift)
            ):
                continue
            wanted = params["select"]
            lower = {name.replace("_", "").lower() for name in wanted}
            found.append(
                {
                    name: str(value) if type_id == 0 and isinstance(value, int) else value
                    for name, value in item.items()
                    if "*" in wanted or name.replace("_", "").lower() in lower
                }
            )
        return found[:PAGE]

    def _batch(self, commands):
        assert len(commands) <= BATCH
        results, errors = {}, {}
        for name, command in commands.items():
            method, _, query = command.partition("?")
            params = {}
            for key, text in parse_qsl(query, keep_blank_values=True):
                head, *path = re.findall(r"[^\[\]]+", key)
                value = re.sub(
                    r"\$result\[(\w+)\]\[(\w+)\]\[(\d+)\]\[(\w+)\]",
                    lambda m: _at(results, m),
                    text,
                )
                if not path:
                    params[head] = value
                elif head == "select":
                    params.setdefault(head, []).append(value)
                elif len(path) == 1:
                    params.setdefault(head, {})[path[0]] = value
                else:
                    params.setdefault(head, {}).setdefault(path[0], []).append(value)
            try:
                results[name] = self.answer(method, params)
            except ValueError:  # a reference that could not be resolved is text
                errors[name] = {"error": "INVALID_ARG_VALUE", "error_description": "Invalid filter"}
            except PermanentError as error:
                errors[name] = {"error": error.code, "error_description": ""}
        return {"result": results or [], "result_error": errors or []}


def _at(results, found):
    name, wrap, index, field = found.groups()
    try:
        return str(results[name][wrap][int(index)][field])
    except (KeyError, IndexError):
        return found[0]
