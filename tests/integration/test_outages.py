"""Not now is never failure: days without a portal or AWS, by a clock that is moved.

Handlers, policy and rows are the real ones. The queue counts receives and hides messages as SQS
does, with the numbers of template.yaml.
"""

import itertools
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from cfnlint.decode.cfn_yaml import load

from relay import settings
from relay.change import Change, Fields
from relay.errors import ConfigurationError, OperatorError, StateError, TransientError
from relay.ledger import BUDGET
from relay.portal import Portal
from relay.portal.fake import FakePortal
from relay.portals import Portals
from relay.reaction import Reaction
from relay.redelivery import KEEP_SECONDS, LAST_SECONDS, Wait, seconds_until_retry
from tests.dynamo import Dynamo

RESOURCES = load(str(Path(__file__).parents[2] / "template.yaml"))["Resources"]
QUEUES = {
    name: resource["Properties"]
    for name, resource in {**RESOURCES, **RESOURCES["Fn::ForEach::React"][2]}.items()
    if not name.startswith("Fn::") and "RedrivePolicy" in resource["Properties"]
    if resource["Type"] == "AWS::SQS::Queue"
}
HOUR, DAY = 3600, 24 * 3600
START = 1_772_366_400.0 + 300  # shortly after a full hour
CHANGE = Change(
    change_id="main.deal.5.b.2",
    portal="main",
    entity="deal",
    entity_type_id=2,
    id="5",
    action="updated",
    version=2,
    time="2026-03-01T12:00:00.000+00:00",
    changed=("title",),
    before=Fields(title="a"),
    after=Fields(title="b"),
)


class Queue:
    """SQS, and Lambda's poller, with a queue's numbers of the template."""

    def __init__(self, properties, clock):
        self.clock = clock
        self.visibility = properties["VisibilityTimeout"]
        self.most = properties["RedrivePolicy"]["maxReceiveCount"]
        self.messages, self.moved, self.letters = {}, [], []
        self.down = False

    def send(self, body):
        """Take a message."""
        name = f"m{len(self.messages)}"
        self.messages[name] = {"body": body, "receives": 0, "at": self.clock[0]}
        self.messages[name]["sent"] = self.clock[0]

    def change_message_visibility_batch(self, *, Entries, **_):  # noqa: N803
        """Hide messages from now on."""
        if self.down:
            raise EndpointConnectionError(endpoint_url="https://sqs")
        for its in Entries:
            wait = its["VisibilityTimeout"]
            assert 0 < wait <= 12 * HOUR
            self.messages[its["ReceiptHandle"]]["at"] = self.clock[0] + wait
        return {}

    def send_message(self, **letter):
        """Take a dead letter."""
        self.letters.append(letter["MessageAttributes"]["error"]["StringValue"])

    def turn(self, handler, chance):
        """Go to where a message is visible, and let copies of a function handle what is."""
        first = min(its["at"] for its in self.messages.values())
        self.clock[0] = max(self.clock[0], first) + 60  # several are visible by then
        ready = [name for name, its in self.messages.items() if its["at"] <= self.clock[0]]
        chance.shuffle(ready)
        for batch in itertools.batched(ready, chance.choice([5, 100]), strict=False):
            self._handle(handler, batch)
        self.clock[0] += 1

    def _handle(self, handler, batch):
        records = []
        for name in batch:
            its = self.messages[name]
            its["receives"] += 1
            its["at"] = self.clock[0] + self.visibility
            if its["receives"] > self.most:
                self.moved.append(self.messages.pop(name))
                continue
            attributes = {
                "ApproximateReceiveCount": str(its["receives"]),
                "SentTimestamp": str(int(its["sent"] * 1000)),
            }
            records.append({"messageId": name, "receiptHandle": name, "body": its["body"],
                            "attributes": attributes, "eventSource": "aws:sqs"})  # fmt: skip
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
        answer = handler({"Records": records}, context)
        back = {its["itemIdentifier"] for its in answer["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in back:
                del self.messages[record["messageId"]]


def aws(code, status=400):
    """Return an error of DynamoDB."""
    said = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "BatchGetItem")


METHOD = "crm.item.update"
FAULTS = {
    "not connected": (1, TransientError(METHOD, "NOT_CONNECTED", retry_after=15.0)),
    "an HTML 502": (1, TransientError(METHOD, "UNREADABLE_ANSWER", retry_after=15.0)),
    "no slot": (1, TransientError("portal", "NO_SLOT", retry_after=40.0)),
    "no time": (1, TransientError(METHOD, "NO_TIME", retry_after=0)),
    "blocked": (1, OperatorError(METHOD, "OVERLOAD_LIMIT")),
    "throttled table": (1, aws("ThrottlingException")),
    "no table": (1, aws("InternalServerError", 500)),
    "no SSM": (1, StateError("SSM Parameter Store")),
    "SQS too": (1, TransientError(METHOD, "NOT_CONNECTED", retry_after=15.0)),
    "dead webhook": (3, OperatorError(METHOD, "INVALID_CREDENTIALS")),
    "no secret": (3, ConfigurationError("no secret")),
}


class Outage:
    """A portal, a table and a queue of which something is away."""

    def __init__(self, monkeypatch):
        self.clock, self.error, self.effects = [START], None, {}
        self.table, self.queue = Dynamo(), Queue(QUEUES["${Name}Queue"], self.clock)
        self.portal = FakePortal({METHOD: self.update})
        self.portal.webhook = SimpleNamespace(host="main.bitrix24.com", user_id=1)
        clients = {"sqs": self.queue, "dynamodb": self.table}
        monkeypatch.setattr(settings, "client", lambda service: clients[service])
        monkeypatch.setattr(Portals, "get", self.get)
        monkeypatch.setattr("relay.reaction.time.time", lambda: self.clock[0])
        for name in ("STATE_TABLE", "QUEUE_URL", "DEAD_LETTERS_URL"):
            monkeypatch.setenv(name, "State")

    def get(self, *_):
        """Return the portal, unless what its secret is in is away."""
        if isinstance(self.error, (StateError, ConfigurationError)):
            raise self.error
        return self.portal

    def update(self, *, fields, **_):
        """Do a write, if there is a portal."""
        if self.error:
            raise self.error
        name = fields["title"]
        self.effects.setdefault(name, []).append(self.clock[0])
        return {"item": {}}


@pytest.fixture
def outage(monkeypatch):
    """Return what an outage is made of."""
    return Outage(monkeypatch)


async def tidy(change: Change, portal: Portal) -> None:
    """Write to the item that changed."""
    await portal.call(METHOD, entityTypeId=2, id=change.id, fields={"title": f"{change.version}"})


@pytest.mark.parametrize(
    ("name", "many"),
    [*(("not connected", many) for many in (3, 10, 31)), *((name, 1) for name in FAULTS)],
)
def test_an_outage_costs_no_change_and_all_are_done_within_minutes(outage, name, many):
    """Nothing is dead-lettered or counted; each effect is there once, 20 min after the end.

    The thirty-first write to one item within an hour waits for the next hour, as always.
    """
    days, error = FAULTS[name]
    react, chance = Reaction(tidy), random.Random(many)
    for number in range(many):
        change = replace(CHANGE, change_id=f"main.deal.5.b.{number}", version=number)
        outage.queue.send(change.to_json())
    if isinstance(error, ClientError):
        outage.table.trouble = {"BatchGetItem": error}
    else:
        outage.error = error
    outage.queue.down = name == "SQS too"
    while outage.clock[0] < START + days * DAY:
        outage.queue.turn(react.handler, chance)
        assert len(outage.queue.messages) == many
    end = outage.clock[0]
    outage.error, outage.table.trouble, outage.queue.down = None, {}, False
    while outage.queue.messages:
        outage.queue.turn(react.handler, chance)
    assert not outage.queue.letters
    assert not outage.queue.moved
    assert {len(times) for times in outage.effects.values()} == {1}
    assert len(outage.effects) == many
    done = sorted(times[0] - end for times in outage.effects.values())
    assert done[:BUDGET][-1] <= 20 * 60
    assert done[-1] <= HOUR + 20 * 60
    rows = [row for key, row in outage.table.rows.items() if key.startswith("done#")]
    assert {row["failures"]["N"] for row in rows} == {"0"}


def shortest_waits(monkeypatch, seconds):
    """Return how often a record is received within a time, each wait the shortest there is."""
    monkeypatch.setattr(random, "uniform", lambda low, _high: low)
    error, age = TransientError("m", "NOT_CONNECTED", retry_after=15), 0.0
    for receives in itertools.count(1):
        wait = seconds_until_retry(error, Wait(receives, age))
        if wait is None or age > seconds:
            return receives
        age += wait
    raise AssertionError


@pytest.mark.parametrize("name", QUEUES)
def test_receives_visibility_and_retention_fit_each_other(monkeypatch, name):
    """Waiting never comes to maxReceiveCount; what kills its function does, days before the end.

    A day in which nothing but the queue's own visibility timeout holds a record back is survived.
    """
    its = QUEUES[name]
    most, visibility = its["RedrivePolicy"]["maxReceiveCount"], its["VisibilityTimeout"]
    retention = its["MessageRetentionPeriod"]
    assert shortest_waits(monkeypatch, 14 * DAY) < most <= 1000  # SQS's limit
    assert most * visibility <= retention - 5 * DAY
    assert DAY / visibility < most
    assert retention >= 2 * KEEP_SECONDS
    letters = name.removesuffix("Queue") + "DeadLetters"
    resource = RESOURCES.get(letters) or RESOURCES["Fn::ForEach::React"][2][letters]
    assert resource["Properties"]["MessageRetentionPeriod"] == retention
    assert LAST_SECONDS <= 15 * 60
