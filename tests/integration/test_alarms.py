"""Each fault raises the alarm that names it, in time; a healthy week raises none.

The queues' handlers are the real ones, and what they print is what CloudWatch would count. What
AWS counts itself (errors, ages, throttles) is made as its documents say.
"""

import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from relay.change import Change
from relay.errors import (
    ConfigurationError,
    LoopError,
    OperatorError,
    PermanentError,
    TransientError,
)
from relay.portal import Portal
from relay.portal.fake import FakePortal
from relay.reaction import Reaction
from relay.tracking import track
from tests.alarms import Metrics, alarms
from tests.dynamo import Dynamo
from tests.moved_queue import HOUR, Queue
from tests.samples import change_of
from tests.snapshots import TEMPLATE, variant
from tests.tracking_aws import OLD, event_message
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

RESOURCES = variant("default")["Resources"]
WATCHED = alarms(RESOURCES)
MINUTE, DAY = 60, 24 * HOUR
START = 1_772_366_400.0
RECEIVES_SEEN = 3  # a message that was received so often leaves SQS's age of the oldest
AWS_SQS, AGE = "AWS/SQS", "ApproximateAgeOfOldestMessage"
VISIBLE = "ApproximateNumberOfMessagesVisible"
METHOD = "crm.item.update"


class Observed:
    """A queue, its function and what CloudWatch sees of both."""

    def __init__(self, name, handler, clock, capsys):
        self.name, self.clock, self._capsys = name, clock, capsys
        self.metrics, self._handler, self.killed = Metrics(), handler, False
        properties = RESOURCES[f"{name}Queue"]["Properties"]
        self.queue = Queue(properties, clock, window=2)

    def function(self, batch, context):
        """Run the function as Lambda does: what kills it is an error, and its batch sleeps."""
        if not self.killed:
            answer = self._handler(batch, context)
        else:
            mids = [record["messageId"] for record in batch["Records"]]
            answer = {"batchItemFailures": [{"itemIdentifier": mid} for mid in mids]}
            self.metrics.add(self.clock[0], OURS, "crashed")  # by CrashedFilter
        self.metrics.printed(self.clock[0], self._capsys.readouterr().out)
        return answer

    def run(self, seconds, disabled=False):
        """Let time pass; returns which alarms are raised, by the seconds until then."""
        start, chance = self.clock[0], random.Random(1)
        now = start
        while now < start + seconds:
            if not disabled and self._is_due(now):
                self.queue.turn(self.function, chance)
            self._measure(now)
            now += MINUTE
            self.clock[0] = max(self.clock[0], now)
        return self.metrics.raised(self.watched(), start, start + seconds)

    def watched(self):
        """Return all alarms but those of sweeps, which nobody runs here."""
        return {name: alarm for name, alarm in WATCHED.items() if name != "UnsweptAlarm"}

    def _is_due(self, now):
        return any(one["at"] <= now for one in self.queue.messages.values())

    def _measure(self, now):
        ages = [
            now - one["sent"]
            for one in self.queue.messages.values()
            if one["receives"] < RECEIVES_SEEN
        ]
        self.metrics.add(now, AWS_SQS, AGE, max(ages, default=0), QueueName=f"{self.name}Queue")
        letters = len(self.queue.letters) + len(self.queue.moved)
        self.metrics.add(now, AWS_SQS, VISIBLE, letters, QueueName=f"{self.name}DeadLetters")


async def follow_up(change: Change, portal: Portal) -> None:
    """Write to the item that changed."""
    await portal.call(METHOD, entityTypeId=2, id=change.id, fields={"title": "b"})


@pytest.fixture
def reacting(monkeypatch, aws_clients, written, times, capsys):
    """Return a reaction before its queue; a call of it raises what is in `trouble`."""
    clock, trouble = [START], []

    def fail(**_):
        if trouble:
            raise trouble[0]
        return {"item": {}}

    portal = FakePortal({METHOD: fail})
    portal.webhook = SimpleNamespace(host="main.bitrix24.com", user_id=1)
    observed = Observed("FollowUp", Reaction(follow_up).handler, clock, capsys)
    observed.trouble, observed.table = trouble, Dynamo()
    aws_clients.update(sqs=observed.queue, dynamodb=observed.table)
    written.portal = portal
    times.source = lambda: clock[0]
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "FollowUp")
    for name in ("STATE_TABLE", "QUEUE_URL", "DEAD_LETTERS_URL"):
        monkeypatch.setenv(name, "State")
    observed.queue.send(change_of("deal/5", 2).to_json())
    return observed


# What goes wrong in a reaction: the alarm that names it, and the minutes that it may take.
REACTION_FAULTS = {
    "503 for hours": (TransientError(METHOD, "QUERY_LIMIT_EXCEEDED"), "WaitingAlarm", 85),
    "429": (TransientError(METHOD, "OPERATION_TIME_LIMIT", retry_after=600), "WaitingAlarm", 85),
    "no connection": (TransientError(METHOD, "NOT_CONNECTED", retry_after=15), "WaitingAlarm", 85),
    "a blocked portal": (OperatorError(METHOD, "OVERLOAD_LIMIT"), "BlockedAlarm", 50),
    "a dead webhook": (OperatorError(METHOD, "INVALID_CREDENTIALS"), "BlockedAlarm", 50),
    "a missing scope": (OperatorError(METHOD, "insufficient_scope"), "BlockedAlarm", 50),
    "a missing secret": (ConfigurationError("no secret"), "BlockedAlarm", 50),
    "a loop": (LoopError("30 writes to deal/5", retry_after=1800), "LoopAlarm", 2),
    "a poison record": (PermanentError(METHOD, "NOT_FOUND"), "FollowUpDeadLettersAlarm", 3),
    "a bug": (ZeroDivisionError(), "FollowUpDeadLettersAlarm", 15),
}


@pytest.mark.parametrize("name", REACTION_FAULTS)
def test_a_fault_of_a_reaction_raises_its_alarm_in_time(reacting, name):
    """Also where SQS's own age of the oldest message leaves the record out."""
    error, alarm, minutes = REACTION_FAULTS[name]
    reacting.trouble.append(error)
    raised = reacting.run(3 * HOUR)
    assert raised.pop(alarm, DAY) <= minutes * MINUTE
    # Whatever waits for an hour is told of once more, and nothing else is.
    assert set(raised) <= {"WaitingAlarm"}


def test_a_reaction_that_is_killed_each_time_raises_its_alarm(reacting):
    """Its records sleep for six minutes each time; SQS gives them up after days."""
    reacting.killed = True
    raised = reacting.run(3 * HOUR)
    assert set(raised) == {"CrashedAlarm"}
    assert raised["CrashedAlarm"] <= 40 * MINUTE


def test_a_state_table_that_is_away_raises_an_alarm(reacting):
    """Without it nothing is tried, and nothing is given up."""
    busy = {"Error": {"Code": "ThrottlingException"}}
    reacting.table.trouble = {"BatchGetItem": ClientError(busy, "BatchGetItem")}
    raised = reacting.run(2 * HOUR)
    assert set(raised) == {"WaitingAlarm"}
    assert raised["WaitingAlarm"] <= 85 * MINUTE


def test_an_alarm_on_sqs_s_own_age_is_caught(reacting):
    """The mistake that all alarms "for an hour" once had: the third receive ends the age."""
    reacting.trouble.append(OperatorError(METHOD, "OVERLOAD_LIMIT"))
    start = reacting.clock[0]
    raised = reacting.run(6 * HOUR)
    key = (AWS_SQS, AGE, frozenset({("QueueName", "FollowUpQueue")}))
    mistaken = replace(WATCHED["WaitingAlarm"], key=key)
    assert "WaitingAlarm" in raised
    assert reacting.metrics.raised({"WaitingAlarm": mistaken}, start, start + 6 * HOUR) == {}


@pytest.fixture
def tracking(relay, times, capsys):
    """Return track before its queue, with an edited deal."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    clock = [START]
    relay.portal.clock = lambda: clock[0]
    observed = Observed("Track", track.handler, clock, capsys)
    observed.portal = relay.portal
    relay.clients["sqs"] = observed.queue
    times.source = lambda: clock[0]
    relay.portal.put(2, 1, title="b")
    observed.queue.send(event_message("ONCRMDEALUPDATE", 1, "update"))
    capsys.readouterr()
    return observed


TRACK_FAULTS = {
    "no connection": (TransientError("m", "NOT_CONNECTED", retry_after=15), "WaitingAlarm", 85),
    "an expired webhook": (OperatorError("m", "expired_token"), "BlockedAlarm", 50),
}


@pytest.mark.parametrize("name", TRACK_FAULTS)
def test_a_fault_of_tracking_raises_its_alarm_in_time(tracking, name):
    """The hint that can't be followed is there all the time."""
    error, alarm, minutes = TRACK_FAULTS[name]
    tracking.portal.trouble["crm.item.list", 2] = error
    raised = tracking.run(3 * HOUR)
    assert raised.pop(alarm, DAY) <= minutes * MINUTE
    assert set(raised) <= {"WaitingAlarm"}


def test_a_function_that_is_killed_each_time_raises_its_alarm(tracking):
    """Its records sleep for 14 minutes, and the third time they are out of SQS's age."""
    tracking.killed = True
    raised = tracking.run(3 * HOUR)
    assert set(raised) == {"CrashedAlarm"}
    assert raised["CrashedAlarm"] <= 60 * MINUTE


def test_a_queue_that_nobody_reads_raises_an_alarm(tracking):
    """A disabled mapping: no receive, no error, no metric of ours."""
    raised = tracking.run(2 * HOUR, disabled=True)
    assert set(raised) == {"TrackOldestAlarm"}
    assert raised["TrackOldestAlarm"] <= 70 * MINUTE


# What AWS or another step counts: [(namespace, metric, dimensions)], every so many seconds, with
# the value at an age; the alarm; the minutes that it may take.
LAMBDA, GATEWAY, OURS = "AWS/Lambda", "AWS/ApiGateway", "Relay/relay"
COUNTED = {
    "SSM down, no cache": (OURS, "spilled", {"service": "ingress"}, 20, 1, "SpilledAlarm", 15),
    "no copies for others": (LAMBDA, "Throttles", {}, 60, 3, "ThrottlesAlarm", 20),
    "a crash of ingress": (LAMBDA, "Errors", "IngressFunction", DAY, 1, "IngressErrorsAlarm", 2),
    # SNS and SQS are both down, or ingress is throttled: the gateway answers 5xx.
    "a lost event": (GATEWAY, "5xx", {"ApiId": "Api"}, DAY, 1, "GatewayErrorsAlarm", 2),
    "a forged flood": (OURS, "throttled", {}, 1, 1, "ThrottledAlarm", 2),
    "lost rights": (OURS, "unreadable", {"service": "track"}, DAY, 1, "UnreadableAlarm", 61),
    "a row never kept": (OURS, "unkept", {"service": "announce"}, DAY, 1, "UnkeptAlarm", 6),
    "a mass disappearance": (OURS, "held", {"service": "track"}, 900, 5, "HeldAlarm", 61),
    "no events for 24 h": (OURS, "silent", {"service": "sweep"}, 300, 1, "SilentAlarm", 61),
    "sweeps that fail": (OURS, "unfinished", {"service": "sweep"}, 300, 1, "UnfinishedAlarm", 181),
    "a function fails": (OURS, "crashed", {}, 300, 1, "CrashedAlarm", 20),
    "a spilled stranger": (AWS_SQS, VISIBLE, "SpillDeadLetters", 60, 1, "SpillDeadLettersAlarm", 2),
    "a poison stream record": (
        AWS_SQS, VISIBLE, "AnnounceDeadLetters", 60, 1, "AnnounceDeadLettersAlarm", 2),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_what_is_counted_raises_the_alarm_that_names_it(name):
    """Namespace, metric, dimension, period and statistic fit together."""
    namespace, metric, dimensions, every, value, alarm, minutes = COUNTED[name]
    if isinstance(dimensions, str):
        kind = "QueueName" if namespace == AWS_SQS else "FunctionName"
        dimensions = {kind: dimensions}
    metrics = Metrics()
    for at in range(0, 4 * HOUR, every):
        metrics.add(START + at, namespace, metric, value, **dimensions)
    swept(metrics, 4 * HOUR)
    raised = metrics.raised(WATCHED, START, START + 4 * HOUR)
    assert set(raised) == {alarm}
    assert raised[alarm] <= minutes * MINUTE


def swept(metrics, seconds, before=6 * HOUR):
    """Let sweeps end every five minutes."""
    for at in range(-before, seconds, 300):
        metrics.count(START + at, "sweep", "swept")


def test_sns_that_is_down_for_a_day_is_told_of_twice():
    """Records of the stream wait; the second time there are six hours left."""
    metrics = Metrics()
    for at in range(0, DAY, MINUTE):
        metrics.add(START + at, LAMBDA, "IteratorAge", at * 1000, FunctionName="AnnounceFunction")
    swept(metrics, DAY)
    raised = metrics.raised(WATCHED, START, START + DAY)
    assert set(raised) == {"AnnounceAgeAlarm", "AnnounceExpiringAlarm"}
    assert raised["AnnounceAgeAlarm"] <= 70 * MINUTE
    assert 18 * HOUR < raised["AnnounceExpiringAlarm"] <= 18 * HOUR + 10 * MINUTE


@pytest.mark.parametrize("every", [300, HOUR])
def test_sweeps_that_end_no_more_raise_an_alarm_within_three_hours(every):
    """Whatever SweepMinutes says; nothing says that they are killed but silence."""
    metrics = Metrics()
    for at in range(-DAY, 0, every):
        metrics.count(START + at, "sweep", "swept")
    assert metrics.raised(WATCHED, START - 12 * HOUR, START) == {}
    raised = metrics.raised(WATCHED, START, START + 4 * HOUR)
    assert set(raised) == {"UnsweptAlarm"}
    assert raised["UnsweptAlarm"] <= 3 * HOUR + 30 * MINUTE


def test_a_healthy_week_raises_none(reacting):
    """With what is normal: late records, a portal that is busy, a function killed now and then."""
    week, metrics = 7 * DAY, reacting.metrics
    reacting.queue.messages.clear()
    chance = random.Random(7)
    swept(metrics, week)
    for at in range(0, week, 5 * MINUTE):
        now = START + at
        metrics.count(now, "ingress", "received", chance.randrange(30))
        metrics.add(now, LAMBDA, "Throttles", 0)
        metrics.add(now, GATEWAY, "5xx", 0, ApiId="Api")
        age = chance.uniform(100, 3000)
        metrics.add(now, LAMBDA, "IteratorAge", age, FunctionName="AnnounceFunction")
        for queue in ("TrackQueue", "SpillQueue"):
            metrics.add(now, AWS_SQS, AGE, chance.randrange(20), QueueName=queue)
        for queue in ("TrackDeadLetters", "AnnounceDeadLetters", "FollowUpDeadLetters"):
            metrics.add(now, AWS_SQS, VISIBLE, 0, QueueName=queue)
    for day in range(7):
        noon = START + day * DAY + 12 * HOUR
        metrics.add(noon, OURS, "crashed", 2)  # functions that were killed once
        metrics.count(noon, "ingress", "spilled", 8)  # SSM was slow for some cold starts
        metrics.add(noon, LAMBDA, "Throttles", 40)  # another stack's burst
    # Every day a portal is away for twenty minutes; the record is written afterwards.
    away = TransientError(METHOD, "NOT_CONNECTED", retry_after=15)
    for day in range(7):
        reacting.clock[0] = START + day * DAY + 9 * HOUR
        reacting.queue.send(change_of("deal/6", 3 + day).to_json())
        reacting.trouble[:] = [away]
        reacting.run(20 * MINUTE)
        reacting.trouble.clear()
        reacting.run(HOUR)
        assert not reacting.queue.messages
    assert metrics.raised(WATCHED, START, START + week) == {}


def test_every_alarm_of_the_template_is_raised_by_one_of_these_faults():
    """An alarm that no test raises may be one that nothing can."""
    raised = {alarm for _, alarm, _ in (*REACTION_FAULTS.values(), *TRACK_FAULTS.values())}
    raised |= {alarm for *_, alarm, _ in COUNTED.values()}
    raised |= {
        "AnnounceAgeAlarm",
        "AnnounceExpiringAlarm",
        "UnsweptAlarm",
        "TrackOldestAlarm",
    }
    same = {"SpillOldestAlarm", "TrackDeadLettersAlarm"}  # made by the loops that make the others
    reactions = tuple(TEMPLATE["Mappings"]["Reaction"].keys() - {"FollowUp"})
    others = {name for name in WATCHED if name.startswith(reactions)}
    assert set(WATCHED) == raised | same | others


def test_a_crash_of_ingress_raises_the_alarm_that_takes_its_deploy_back():
    """CodeDeploy asks it during the five minutes of a canary."""
    resources = variant("IngressCanary")["Resources"]
    group = resources["IngressFunctionDeploymentGroup"]["Properties"]
    (asked,) = group["AlarmConfiguration"]["Alarms"]
    name = asked["Name"]["Ref"]
    assert name == COUNTED["a crash of ingress"][-2]


def test_everybody_who_is_told_of_an_alarm_is_told_of_its_end():
    """A topic of one's own outweighs the address; without either nobody is told."""
    topic = "arn:aws:sns:eu-central-1:123456789012:on-call"
    actions = {"default": [], "AlarmEmail": [{"Ref": "AlarmTopic"}], "AlarmTopicArn": [topic]}
    for name, targets in actions.items():
        for one in variant(name)["Resources"].values():
            if one["Type"] == "AWS::CloudWatch::Alarm":
                assert one["Properties"]["AlarmActions"] == targets
                assert one["Properties"]["OKActions"] == targets
