"""A portal for tests of tracking: items under the test's control, calls answered in batches."""

import asyncio
from datetime import datetime
from itertools import batched

import boto3

from local.portal.references import put_in
from relay.errors import PermanentError
from relay.portal.lists import Listing

PAGE = 50
BATCH = 50
TIME = "2026-03-01T12:00:00+03:00"


def make_tables():
    """Make the tables of the template in a mocked DynamoDB; returns the client."""
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
        TableName="History",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
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
        self.zone = datetime.fromisoformat(TIME).tzinfo  # of its clock
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
        return await self._wait_for(lambda _room: self.answer(method, params))

    async def _wait_for(self, work):
        """Return what some work gives in the next request; it gets the commands it may have."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._waiting.append((work, done))
        if len(self._waiting) == 1:
            loop.call_later(0, loop.call_soon, self._flush)
        return await done

    def _flush(self):
        waiting, self._waiting = self._waiting, []
        for request in batched(waiting, BATCH, strict=False):
            self.requests += 1
            lists = sum(work.__name__ == "pages" for work, _ in request)
            room = 1 + (BATCH - len(request)) // max(lists, 1)
            for work, done in request:
                if done.cancelled():
                    continue
                try:
                    done.set_result(work(room))
                except Exception as error:  # noqa: BLE001  whatever the test wants
                    done.set_exception(error)

    def answer(self, method, params):
        """Return what a method answers now."""
        type_id = 0 if method.startswith("tasks.") else int(params.get("entityTypeId", 0))
        if (method, type_id) in self.trouble:
            raise self.trouble[method, type_id].with_traceback(None)
        if method == "server.time":
            return datetime.fromtimestamp(self.clock(), tz=self.zone).isoformat(timespec="seconds")
        if method == "crm.type.list":
            return {"types": [{"entityTypeId": n} for n in self.items if n >= 128]}
        if method == "crm.enum.ownertype":
            return [{"ID": n} for n in (*self.items, 8, 36)]
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
        since = rules.get(">=updatedtime") or rules.get(">=changed_date")
        oldest = seconds(since) + self.filter_shift if since else None
        lowest = max(int(rules.get(">id", 0)) + 1, int(rules.get(">=id", 0)))
        items, asked = self.items[type_id], rules.get("@id", rules.get("id"))
        ids = items if asked is None else items.keys() & {int(one) for one in asked}
        wanted = {name.replace("_", "").lower() for name in params["select"]}
        if params.get("params"):
            wanted |= {"taskhasresult", "taskhasopenresult", "taskrequireresult"}
        found = []
        for item_id in sorted(one for one in ids if one >= lowest):
            item = items[item_id]
            changed = item["changedDate" if type_id == 0 else "updatedTime"]
            if self._hidden(type_id, item_id) or (oldest and seconds(changed) < oldest):
                continue
            found.append(
                {
                    name: str(value) if type_id == 0 and isinstance(value, int) else value
                    for name, value in item.items()
                    if "*" in wanted or name.replace("_", "").lower() in wanted
                }
            )
            if len(found) == PAGE:
                break
        return found

    async def list(self, method, /, **params):
        """Yield the items of a list as the real client walks it."""

        async def call_all(name, asked):
            return await asyncio.gather(*(self.call(name, **one) for one in asked))

        async for page in Listing(method, params, call_all, self._chain).pages():
            for item in page:
                yield item

    async def _chain(self, chain):
        """Run a chain of pages; later pages refer to earlier ones, and share the request."""

        def pages(room):
            names = [f"p{at}" for at in range(min(room, chain.max_commands))]
            return list(self.run(chain.commands(names)).values())

        return await self._wait_for(pages)

    def run(self, commands):
        """Run commands in order; an error is the result of its command."""
        results = {}
        for name, command in commands.items():
            method, asked = command.method, command.params
            ran = {key: one for key, one in results.items() if not isinstance(one, PermanentError)}
            params = put_in(dict(asked), {"result": ran})
            try:
                results[name] = self.answer(method, params)
            except (TypeError, ValueError):  # a reference that leads nowhere gives what it has
                results[name] = PermanentError(method, "INVALID_ARG_VALUE")
            except PermanentError as error:
                results[name] = error
        return results
