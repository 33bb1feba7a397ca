"""ops.pause, ops.queue_findings: a paused function is told of, reminded of, and resumed."""

from datetime import UTC, datetime

import pytest

from ops import pause
from ops.deployed import Deployed
from ops.findings import BAD, LOOK, OK
from ops.pause import pause_command, resume_command
from ops.queue_findings import paused_findings, queue_findings
from tests.dead_letter_aws import DeadLetterAws

STACK = Deployed(
    "relay",
    {"LogGroup": "log"},
    {},
    {
        "FollowUpFunctionQueue": "uuid-1",
        "TrackFunctionQueue": "uuid-2",
        "RepublishFunctionSpilled": "uuid-3",
        "FollowUpQueue": "https://sqs/1/relay-FollowUpQueue-X",
        "SpillQueue": "https://sqs/1/relay-SpillQueue-X",
        "AlarmTopic": "arn:topic",
    },
)
DAY = 24 * 3600


class Aws(DeadLetterAws):
    """Mappings that take a while to change, and alarms."""

    def __init__(self):
        super().__init__()
        self.states = dict.fromkeys(("uuid-1", "uuid-2", "uuid-3"), "Enabled")
        self.changing, self.alarms, self.stuck = {}, {}, False

    def update_event_source_mapping(self, *, UUID, Enabled):  # noqa: N803
        """Begin to change a mapping."""
        self.changing[UUID] = "Enabled" if Enabled else "Disabled"
        self.states[UUID] = "Enabling" if Enabled else "Disabling"

    def get_event_source_mapping(self, *, UUID):  # noqa: N803
        """Return a mapping's state; the next look finds the change done."""
        state = self.states[UUID]
        if not self.stuck:
            self.states[UUID] = self.changing.get(UUID, state)
        return {"State": state, "LastModified": datetime.fromtimestamp(1000, UTC)}

    def put_metric_alarm(self, **alarm):
        """Keep an alarm."""
        self.alarms[alarm["AlarmName"]] = alarm

    def delete_alarms(self, *, AlarmNames):  # noqa: N803
        """Forget alarms."""
        for name in AlarmNames:
            self.alarms.pop(name, None)


@pytest.fixture
def aws(monkeypatch, aws_clients):
    """Return the AWS that the commands reach; no time passes."""
    aws_clients.every = fake = Aws()
    fake.notes = aws_clients.deploy(STACK).notes
    monkeypatch.setattr(pause, "POLL_SECONDS", 0)
    return fake


def test_a_paused_function_is_reminded_of_until_it_is_resumed(aws):
    """The mapping is off, an alarm watches its queue, the log says who; resume undoes it."""
    pause_command("follow_up")
    assert aws.states["uuid-1"] == "Disabled"
    (alarm,) = aws.alarms.values()
    assert alarm["AlarmName"] == "relay-follow_up-paused"
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "relay-FollowUpQueue-X"}]
    assert (alarm["Threshold"], alarm["AlarmActions"]) == (7 * DAY, ["arn:topic"])
    resume_command("follow_up")
    assert (aws.states["uuid-1"], aws.alarms) == ("Enabled", {})
    assert aws.notes == [
        ("paused", {"function": "follow_up"}),
        ("resumed", {"function": "follow_up"}),
    ]


def test_what_was_spilled_can_wait_too(aws):
    """`spill` is the queue of what ingress could not publish."""
    pause_command("spill")
    assert aws.states["uuid-3"] == "Disabled"
    assert aws.alarms["relay-spill-paused"]["Dimensions"][0]["Value"] == "relay-SpillQueue-X"


@pytest.mark.parametrize("name", ["announce", "nobody"])
def test_what_has_no_queue_is_not_paused(aws, name):
    """A stream loses what nobody takes for 24 hours, so announce can't be paused."""
    with pytest.raises(SystemExit, match="NAME is one of follow_up, track, spill"):
        pause_command(name)
    assert set(aws.states.values()) == {"Enabled"}


def test_a_mapping_that_does_not_change_is_said(aws, monkeypatch):
    """After a minute the command ends with the state that AWS shows."""
    aws.stuck = True
    monkeypatch.setattr(pause, "WAIT_SECONDS", 0)
    with pytest.raises(SystemExit, match="follow_up is Disabling after a minute"):
        pause_command("follow_up")


@pytest.mark.parametrize(("days", "level"), [(1, LOOK), (8, BAD)])
def test_doctor_says_what_is_paused(aws, days, level):
    """A day is worth a look; after a week records come near to their deletion."""
    pause_command("follow_up")
    (found,) = paused_findings(aws, STACK.resources, 1000 + days * DAY)
    assert found.level == level
    assert "follow_up has been paused for" in found.text
    assert "`make resume NAME=follow_up`" in found.text


def test_queues_that_hold_something_are_named():
    """Dead letters are BAD, waiting messages worth a look; topics and functions are no queues."""

    class Sqs:
        def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803  boto3's names
            number = {"https://a": "3", "https://b": "2"}.get(QueueUrl, "0")
            return {"Attributes": dict.fromkeys(AttributeNames, "0") | {AttributeNames[0]: number}}

        def receive_message(self, *, VisibilityTimeout, **_):  # noqa: N803
            assert VisibilityTimeout == 0  # they stay visible
            sent = [{"Attributes": {"SentTimestamp": str(at * 1000)}} for at in (500, 100, 900)]
            return {"Messages": sent}

    resources = {
        "TrackQueue": "https://a",
        "TrackDeadLetters": "https://b",
        "SpillQueue": "https://c",
        "FollowUpQueueSubscription": "https://a",
        "OtherQueue": "arn:no-url",
    }
    assert list(queue_findings(Sqs(), resources, 10_900)) == [
        (BAD, "TrackDeadLetters: 2 dead letters, up to 3 h old; `make dead NAME=Track` shows why"),
        (LOOK, "TrackQueue: 3 waiting or being handled"),
    ]
    idle = {"SpillQueue": "https://c"}
    assert list(queue_findings(Sqs(), idle, 0)) == [(OK, "no dead letters, and no queue waits")]
