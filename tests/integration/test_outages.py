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
from botocore.exceptions import ClientError
from cfnlint.decode.cfn_yaml import load

from relay.change import Change
from relay.echo.ledger import BUDGET
from relay.errors import (
    ConfigurationError,
    OperatorError,
    StateError,
    TransientError,
)
from relay.portal import Portal
from relay.portal.fake import FakePortal
from relay.reaction import Reaction
from relay.retry_policy import (
    LONGEST_WAIT_SECONDS,
    MAX_AGE_SECONDS,
    Delivery,
    seconds_until_retry,
)
from relay.tracking import track, track_messages
from tests.dynamo import Dynamo
from tests.moved_queue import HOUR, Queue
from tests.samples import change_of
from tests.tracking_aws import KEY, OLD, event_message
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

RESOURCES = load(str(Path(__file__).parents[2] / "template.yaml"))["Resources"]
QUEUES = {
    name: resource["Properties"]
    for name, resource in {**RESOURCES, **RESOURCES["Fn::ForEach::React"][2]}.items()
    if not name.startswith("Fn::") and "RedrivePolicy" in resource["Properties"]
    if resource["Type"] == "AWS::SQS::Queue"
}
DAY = 24 * HOUR
START = 1_772_366_400.0 + 300  # shortly after a full hour
CHANGE = change_of()


def aws(code, status=400):
    """Return an error of DynamoDB."""
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "BatchGetItem")


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

    def __init__(self, monkeypatch, aws_clients, written, times):
        self.clock, self.error, self.effects = [START], None, {}
        self.table, self.queue = Dynamo(), Queue(QUEUES["${Name}Queue"], self.clock)
        self.portal = FakePortal({METHOD: self.update})
        self.portal.webhook = SimpleNamespace(host="main.bitrix24.com", user_id=1)
        aws_clients.update(sqs=self.queue, dynamodb=self.table)
        written.get = self.get
        times.source = lambda: self.clock[0]
        for name in ("STATE_TABLE", "QUEUE_URL", "DEAD_LETTERS_URL"):
            monkeypatch.setenv(name, "State")

    def get(self, *_):
        """Return the portal, unless what its secret is in is away."""
        if isinstance(self.error, (StateError, ConfigurationError)):
            raise self.error.with_traceback(None)  # each raise would make it longer
        return self.portal

    def update(self, *, fields, **_):
        """Do a write, if there is a portal."""
        if self.error:
            raise self.error.with_traceback(None)  # each raise would make it longer
        name = fields["title"]
        self.effects.setdefault(name, []).append(self.clock[0])
        return {"item": {}}


@pytest.fixture
def outage(monkeypatch, aws_clients, written, times):
    """Return what an outage is made of."""
    return Outage(monkeypatch, aws_clients, written, times)


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


class Killed(BaseException):
    """A function that was ended by Lambda."""


@pytest.fixture
def tracked(relay, times):
    """Return track before a queue as SQS's, with a mirror of some deals that are all edited."""

    def begin(deals, **about):
        for number in range(1, deals + 1):
            relay.portal.put(2, number, title="a", updatedTime=OLD)
        relay.baseline()
        relay.clock = [START]
        relay.portal.clock = lambda: relay.clock[0]
        relay.queue = Queue(QUEUES["TrackQueue"], relay.clock, **about)
        relay.clients["sqs"] = relay.queue
        times.source = lambda: relay.clock[0]
        for number in range(1, deals + 1):
            relay.portal.put(2, number, title="b")
            relay.queue.send(event_message("ONCRMDEALUPDATE", number, "update"))
        return relay

    return begin


def test_what_kills_its_function_is_soon_alone(tracked, monkeypatch):
    """Of 300 in one batch all but the killer are done within an hour; processes forget it."""
    relay, chance = tracked(300, window=2, sizes=(300,)), random.Random(1)
    refresh_items = track.refresh_items

    async def killing(hints, *others):
        if KEY in hints:
            raise Killed
        return await refresh_items(hints, *others)

    def function(batch, context):
        try:
            return track.handler(batch, context)
        except Killed:
            mids = [record["messageId"] for record in batch["Records"]]
            return {"batchItemFailures": [{"itemIdentifier": mid} for mid in mids]}

    monkeypatch.setattr(track, "refresh_items", killing)
    while relay.clock[0] < START + HOUR and len(relay.queue.messages) > 1:
        relay.queue.turn(function, chance)
    (killer,) = relay.queue.messages.values()
    assert killer["body"] == event_message("ONCRMDEALUPDATE", 1, "update")
    assert not relay.queue.letters
    assert not relay.queue.moved


def test_a_killed_function_is_over_before_what_it_held_comes_back():
    """Half of the queue's visibility timeout, the least that is told, is longer than a run."""
    shortest = QUEUES["TrackQueue"]["VisibilityTimeout"] // 2
    assert shortest > RESOURCES["TrackFunction"]["Properties"]["Timeout"]


TRACK_FAULTS = {
    "not connected": TransientError("crm.item.list", "NOT_CONNECTED", retry_after=15.0),
    "throttled table": aws("ThrottlingException"),
}


@pytest.mark.parametrize("name", TRACK_FAULTS)
def test_a_day_without_a_portal_or_a_table_costs_track_nothing(tracked, name):
    """No message is given up or counted as failed; all are done 20 min after the end."""
    relay, chance = tracked(9, window=240, sizes=(3, 9)), random.Random(1)
    error = TRACK_FAULTS[name]
    if isinstance(error, ClientError):
        relay.dynamo.trouble = error
    else:
        relay.portal.trouble["crm.item.list", 2] = error
    while relay.clock[0] < START + DAY:
        relay.queue.turn(track.handler, chance)
        assert len(relay.queue.messages) == 9
    end = relay.clock[0]
    relay.dynamo.trouble = None
    relay.portal.trouble.clear()
    while relay.queue.messages:
        relay.queue.turn(track.handler, chance)
    assert relay.clock[0] - end <= 20 * 60
    assert not relay.queue.letters
    assert not relay.queue.moved
    assert not track_messages._failures  # noqa: SLF001  its memory
    relay.announce_all()
    assert len(relay.topic.published) == 9


def shortest_waits(monkeypatch, seconds):
    """Return how often a record is received within a time, each wait the shortest there is."""
    monkeypatch.setattr(random, "uniform", lambda low, _high: low)
    error, age = TransientError("m", "NOT_CONNECTED", retry_after=15), 0.0
    for receives in itertools.count(1):
        wait = seconds_until_retry(error, Delivery(receives, age))
        if wait is None or age > seconds:
            return receives
        age += wait
    raise AssertionError


@pytest.mark.parametrize("name", QUEUES)
def test_receives_visibility_and_retention_fit_each_other(monkeypatch, name):
    """Waiting never comes to maxReceiveCount; what kills its function does, days before the end.

    A day in which nothing but the queue's own visibility timeout holds a record back is survived.
    """
    queue = QUEUES[name]
    most, visibility = queue["RedrivePolicy"]["maxReceiveCount"], queue["VisibilityTimeout"]
    retention = queue["MessageRetentionPeriod"]
    assert shortest_waits(monkeypatch, 14 * DAY) < most <= 1000  # SQS's limit
    assert most * visibility <= retention - 5 * DAY
    assert DAY / visibility < most
    assert retention >= 2 * MAX_AGE_SECONDS
    letters = name.removesuffix("Queue") + "DeadLetters"
    resource = RESOURCES.get(letters) or RESOURCES["Fn::ForEach::React"][2][letters]
    assert resource["Properties"]["MessageRetentionPeriod"] == retention
    assert LONGEST_WAIT_SECONDS <= 15 * 60
