"""What outlives a process, and processes that run a reaction for a record step by step.

Whoever drives a Delivery decides what becomes of each of its requests to DynamoDB and the portal.
"""

import asyncio
import itertools
from contextlib import nullcontext

from relay.errors import MayHaveRunError, TransientError
from relay.reaction.checkpoint import Checkpoint
from relay.reaction.lease import Lease
from relay.reaction.run import Operator, Run
from tests.dynamo import Dynamo
from tests.runs import batch_of, once

DEAL, COMMENT, TASK, UPDATE = (
    *("crm.item.add", "crm.timeline.comment.add", "tasks.task.add", "crm.item.update"),
)
FINDABLE = {DEAL, TASK}
LEASE = 180
TURNS = 40
RETRIES = {1, 3}  # the orders of a reaction that asks again what has failed


class Killed(BaseException):
    """The end of a process."""


class World:
    """What outlives a process: the table, the portal, the time."""

    def __init__(self):
        self.dynamo, self.now, self.numbers = Dynamo(), 1_000_000.0, itertools.count(1)
        self.made = {}

    def call(self, method, params):
        """Let the portal do what it is asked."""
        if method == "profile":
            return {"ID": "1", "ADMIN": True}
        fields = params["fields"]
        if method == UPDATE:
            return {"item": {"id": 5}}
        number = next(self.numbers)
        tag = fields.get("TITLE") or fields.get("title") or fields["COMMENT"]
        mark = fields.get("XML_ID") or fields.get("originId")
        self.made.setdefault((method, tag), []).append((number, mark, self.now))
        return self.answer(method, number, tag, mark)

    def answer(self, method, number, tag, mark):
        """Return what a create says of what it made."""
        if method == DEAL:
            return {"item": {"id": number, "originId": mark}}
        if method == TASK:
            made = {"id": str(number), "title": tag, "xmlId": mark}
            return {"task": made | {"createdDate": "1970-01-12T13:46:40+00:00"}}
        return number

    def find(self, method, params):
        """List what was made: deals by their origin, all tasks."""
        for (created_by, tag), made in self.made.items():
            for number, mark, _ in made:
                answer = self.answer(created_by, number, tag, mark)
                if created_by == TASK and method == "tasks.task.list":
                    yield answer["task"]
                if (
                    created_by == DEAL
                    and method == "crm.item.list"
                    and params["filter"]["=originId"] == mark
                ):
                    yield answer["item"]


class Delivery:
    """One process with one delivery of the record, that goes on when it is let."""

    def __init__(self, world, program, order, record):
        self.world, self.waiting, self.done, self.error = world, [], False, None
        self.results = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)
        rows, (own_key, equal_calls) = world.dynamo.rows, record
        key = equal_calls.key_in(rows, own_key)
        row = Checkpoint.of(key, rows.get(key), world.now)
        token = f"token {next(world.numbers)}"
        held = Lease(row, token, world.now + LEASE, batch_of(world.dynamo), equal_calls)
        self.run = Run(held, lambda *_, **__: None, Operator())
        self.task = self.loop.create_task(self.react(program, order))
        self.turn()

    async def react(self, program, order):
        """Run the reaction, then store what it has done."""
        portal = once(self, self.run)
        try:
            for at, stage in enumerate(program):
                calls = [
                    self.one(portal, *call, f"{at}.{n}", order) for n, call in enumerate(stage)
                ]
                turned = order % len(calls)
                await asyncio.gather(*calls[turned:], *calls[:turned])
        except Exception as error:  # noqa: BLE001  as the reaction's rim does
            self.error = error
        await self.run.finish(failed=False)
        self.done = True

    async def one(self, portal, method, varies, tag, order):
        """Make one call of the reaction."""
        more = {"order": order} if varies else {}
        match method:
            case "crm.timeline.comment.add":
                fields = {"COMMENT": tag} | more
            case "tasks.task.add":
                fields = {"TITLE": tag, "RESPONSIBLE_ID": 1} | more
            case _:
                fields = {"title": tag} | more
        number = {"id": 5} if method == UPDATE else {}
        for may_retry in (order in RETRIES, False):
            try:
                result = await portal.call(method, entityTypeId=2, fields=fields, **number)
                break
            except (TransientError, MayHaveRunError):  # as impatient reactions do
                if not may_retry:
                    raise
        self.results.append((method, tag, result))

    # --- what the run calls ---

    def busy(self):
        """Hold nothing."""
        return nullcontext()

    async def io(self, kind, act):
        """Wait until the machine says what becomes of a request."""
        future = self.loop.create_future()
        self.waiting.append((kind, act, future))
        return await future

    async def call(self, method, **params):
        """Call the portal."""
        kind = "read" if method == "profile" else "call"
        return await self.io(kind, lambda: self.world.call(method, params))

    async def list(self, method, **params):
        """List the portal's items."""
        for item in await self.io("list", lambda: list(self.world.find(method, params))):
            yield item

    def turn(self):
        """Let the process run until it waits; time in which nothing happens passes at once."""
        while True:
            for _ in range(TURNS):
                self.loop.call_soon(self.loop.stop)
                self.loop.run_forever()
            quiet = [request for request in self.waiting if request[0] == "pause"]
            if not quiet or len(quiet) < len(self.waiting):
                break
            self.waiting.remove(quiet[0])
            quiet[0][2].set_result(None)

    def kill(self):
        """End the process where it is."""
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # noqa: SLF001  that is what a kill is
        self.loop.close()
