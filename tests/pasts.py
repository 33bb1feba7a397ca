"""The past of a relay in memory: a stack for operators' commands, and an ordeal of faulty edits."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace

from botocore.exceptions import ClientError

from ops.deployed import Deployed
from ops.past import Past
from relay.change import is_volatile
from relay.portal.fake import FakePortal
from relay.reactions.follow_up import follow_up
from relay.tracking.projection import project
from tests.aws_clients import functions_of
from tests.batches import Sqs, handle
from tests.dynamo import Dynamo
from tests.tracking_aws import LATER, OLD, announced_from, changes

STACK = Deployed(
    "relay",
    {"LogGroup": "logs"},
    {"HistoryDays": "0"},
    {"History": "History", "Mirror": "Mirror", "StateTable": "State"},
)
STAGES = ["NEW", "PREPARATION", "WON", "LOSE"]


class Tables(Dynamo):
    """The tables of a relay as operators read them; its State table takes transactions."""

    def __init__(self, relay):
        super().__init__()
        self.rows, self._relay = relay.dynamo.state, relay.dynamo

    def __getattr__(self, name):
        """Leave other requests to the relay's tables."""
        return getattr(self._relay, name)

    def scan(self, *, Segment, TotalSegments, ExpressionAttributeValues, **_):  # noqa: N803
        """Return a part of the history's rows: of a portal or a kind, and of a time."""
        of, asked = ExpressionAttributeValues[":of"]["S"], ExpressionAttributeValues
        since, until = (float(asked.get(n, {}).get("N", 0)) for n in (":since", ":until"))
        mine = list(self._relay.history.values())[Segment::TotalSegments]
        rows = [
            one
            for one in mine
            if one["pk"]["S"].startswith(of) and since <= float(one["at"]["N"]) <= (until or 1e12)
        ]
        return {"Items": rows, "ScannedCount": len(mine)}

    def batch_get_item(self, RequestItems):  # noqa: N803
        """Return whole rows of the mirror, or rows of the State table."""
        if "Mirror" not in RequestItems:
            return super().batch_get_item(RequestItems)
        keys = [(k["pk"]["S"], int(k["id"]["N"])) for k in RequestItems["Mirror"]["Keys"]]
        assert len(keys) <= 100
        mirror = self._relay.mirror
        return {"Responses": {"Mirror": [mirror[key] for key in keys if key in mirror]}}

    def query(self, **ask):
        """Return all rows of a kind, or what the relay's tables answer."""
        if ask["KeyConditionExpression"] != "pk = :pk":
            return self._relay.query(**ask)
        pk = ask["ExpressionAttributeValues"][":pk"]["S"]
        return {"Items": [row for key, row in self._relay.mirror.items() if key[0] == pk]}


def past_of(relay, **parameters):
    """Return the past of a relay's items, as the commands have it."""
    stack = replace(STACK, parameters=parameters) if parameters else STACK
    return Past(relay.dynamo, stack)


def shown(item):
    """Return a portal's item as `asof` shows it; None stays None."""
    if item is None:
        return None
    return {name: one for name, one in project("deal", item).items() if not is_volatile(name)}


class Ordeal:
    """Deals that are edited while events get lost, tables throttle and SNS fails.

    `readings` has by deal what the portal held whenever the relay read it: [(time, item or None)].
    """

    def __init__(self, relay, deals, seed=1):
        self.relay, self.random = relay, random.Random(seed)
        self.readings = {number: [] for number in range(1, deals + 1)}
        self._pending, self._position = [], 0
        for number in self.readings:
            relay.portal.put(2, number, title=f"deal {number}", stageId="NEW", updatedTime=OLD)
        relay.baseline()
        self._note()

    def run(self, edits):
        """Edit, with a reading and an announcement every few edits, and let all of it settle."""
        for at in range(edits):
            self._edit(self.random.choice(list(self.readings)))
            if self.random.random() < 0.3:
                self._read()
            if self.random.random() < 0.1:
                self._announce()
            if at % 250 == 249:
                self.relay.sweep()
        self.relay.sweep()
        self._read()
        while self._pending:
            self._announce(faults=False)

    def _edit(self, number):
        item = self.relay.portal.items[2].get(number)
        kind = self.random.random()
        if item and kind < 0.05:
            del self.relay.portal.items[2][number]
            self._event(number, "delete", 0.0)
            return
        fields = {"stageId": self.random.choice(STAGES), "updatedBy": self.random.randint(1, 9)}
        if kind < 0.4:
            fields["title"] = self.random.choice(["", f"title {self.random.random()}"])
        if kind < 0.2:
            fields["ufCrmList"] = self.random.sample(range(9), self.random.randint(0, 3))
        if kind < 0.1:
            fields["comments"] = "long " * self.random.randint(0, 60_000)
        self.relay.portal.put(2, number, **fields, updatedTime=_now(self.relay))
        self._event(number, "update" if item else "add", 0.1)

    def _event(self, number, action, lost):
        for _ in range(self.random.choice([1, 1, 2]) if self.random.random() >= lost else 0):
            self.relay.event(number, action)

    def _read(self):
        queue = self.relay.queues.messages.get("https://sqs.test/track", {})
        shuffled = self.random.sample(list(queue.items()), len(queue))
        queue.clear()
        queue.update(shuffled)
        self.relay.track_all()
        self._note()

    def _note(self):
        fresh = self.relay.dynamo.stream[self._position :]
        self._position = len(self.relay.dynamo.stream)
        for record in fresh:
            row = record["dynamodb"]["NewImage"]
            number = int(row["id"]["N"])
            held = dict(item) if (item := self.relay.portal.items[2].get(number)) else None
            self.readings[number].append((float(row["read_at"]["N"]), held))
        self._pending += [one for one in fresh if one["dynamodb"]["NewImage"]["quiet"]["S"] == "no"]

    def _announce(self, *, faults=True):
        relay, batch = self.relay, self._pending[:100]
        if not batch:
            return
        relay.topic.fail_entries = [{0}, {0}] if faults and self.random.random() < 0.2 else []
        write = relay.dynamo.batch_write_item
        if faults and self.random.random() < 0.2:
            relay.dynamo.batch_write_item = _throttled
        unannounced = announced_from(relay.announce, batch)
        relay.dynamo.batch_write_item = write
        done = len(batch) - len(unannounced)
        repeated = batch[:done][-3:] if faults and self.random.random() < 0.2 else []
        announced_from(relay.announce, repeated)  # as Lambda may deliver them twice
        relay.topic.fail_entries = []
        self._pending = self._pending[done:]

    def pairs(self, count):
        """Yield random (deal, instant, what the portal held at the last reading before it)."""
        for _ in range(count):
            number = self.random.choice(list(self.readings))
            readings = self.readings[number]
            at = self.random.randrange(len(readings))
            moment, held = readings[at]
            later = readings[at + 1][0] if at + 1 < len(readings) else moment + 1
            just_before = later - 0.0005
            if just_before > moment:  # the first row is there a moment after its reading
                instants = [moment, (moment + later) / 2, just_before] if at else [just_before]
                yield number, self.random.choice(instants), shown(held)


def _throttled(**_):
    raise ClientError({"Error": {"Code": "ProvisionedThroughputExceeded"}}, "BatchWriteItem")


def _now(relay):
    return datetime.fromtimestamp(relay.portal.clock(), UTC).isoformat(timespec="seconds")


def won(relay, deals):
    """Let deals be won and read; return the Changes."""
    for number in range(1, deals + 1):
        relay.portal.put(2, number, title=f"deal {number}", stageId="NEW", stageSemanticId="P",
                         assignedById=5, companyId=number % 3, updatedTime=OLD)  # fmt: skip
    relay.baseline()
    for number in range(1, deals + 1):
        relay.portal.put(2, number, stageId="WON", stageSemanticId="S", updatedTime=LATER)
        relay.event(number)
    return relay.settle()


def react(tables, messages, reaction=follow_up, answers=None):
    """Let a reaction handle the Changes as its function does; return the calls of the portal.

    `answers` are the portal's to other methods than those that follow_up calls.
    """
    numbers = count(1)
    made = {
        "tasks.task.add": lambda **_: {"task": {"id": str(next(numbers))}},
        "crm.timeline.comment.add": lambda **_: next(numbers),
    }
    portal = FakePortal(made | (answers or {}))
    portal.webhook = SimpleNamespace(host="main.bitrix24.example", user_id=1)
    sqs = Sqs()
    with functions_of(lambda _name: portal, sqs=sqs, dynamodb=tables):
        for at in range(0, len(messages), 100):
            bodies = [one.to_json() for one in changes(messages[at : at + 100])]
            assert handle(reaction, *bodies) == []
    return portal.calls
