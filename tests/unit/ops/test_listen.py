"""ops.listen, ops.try_reaction, ops.temporary_queue: live changes, and a local reaction on each."""

import json
import re
import sys
import time
from dataclasses import replace

import pytest

from ops import listen
from ops.deployed import Deployed
from ops.dry_portal import DryPortal
from ops.filter_policy import matches
from ops.listen import command
from ops.temporary_queue import LEFT_SECONDS, TemporaryQueue, remove_left
from ops.terminal import console
from ops.try_reaction import LiveReaction
from relay import reactions
from relay.portal.fake import FakePortal
from tests.samples import load

WON = load("sqs_deal_won")
PRINTING = """
from aws_lambda_powertools import Logger
from relay.change import Change
from relay.reaction import reaction

logger = Logger(service="printing")
print("loaded")

@reaction
async def printing(change: Change) -> None:
    print("[deal]")
    logger.info("no phone", extra={"deal": change.id})
    print("half a line", end="")

handler = printing.handler
"""
STACK = Deployed("relay", {"ChangesTopicArn": "changes", "EventsTopicArn": "events"}, {}, {})


class Aws:
    """A topic whose messages were published before anybody listened, and the queues of it."""

    def __init__(self, *bodies):
        self.bodies, self.queues, self.subscriptions, self.deleted = list(bodies), {}, {}, []

    def __call__(self, _service):
        """Return the client of any service."""
        return self

    def create_queue(self, *, QueueName, Attributes):  # noqa: N803
        """Make a queue, just now."""
        self.queues[QueueName] = dict(Attributes) | {"LastModifiedTimestamp": str(time.time())}
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, *, QueueUrl, **_):  # noqa: N803
        """Return a queue's attributes."""
        return {"Attributes": {"QueueArn": f"arn:{QueueUrl}", **self.queues[QueueUrl]}}

    def set_queue_attributes(self, *, QueueUrl, Attributes):  # noqa: N803
        """Change a queue's attributes."""
        self.queues[QueueUrl] |= Attributes

    def subscribe(self, *, TopicArn, Endpoint, Attributes, **_):  # noqa: N803
        """Subscribe a queue."""
        self.subscriptions[Endpoint] = {"topic": TopicArn, **Attributes}
        return {"SubscriptionArn": Endpoint}

    def unsubscribe(self, *, SubscriptionArn):  # noqa: N803
        """End a subscription."""
        del self.subscriptions[SubscriptionArn]

    def delete_queue(self, *, QueueUrl):  # noqa: N803
        """Delete a queue."""
        del self.queues[QueueUrl]

    def list_queues(self, *, QueueNamePrefix):  # noqa: N803
        """Return the queues with a prefix."""
        return {"QueueUrls": [name for name in self.queues if name.startswith(QueueNamePrefix)]}

    def get_paginator(self, _operation):
        """Return a paginator: this object."""
        return self

    def paginate(self, **_):
        """Yield one page of subscriptions."""
        ends = [{"Endpoint": one, "SubscriptionArn": one} for one in self.subscriptions]
        yield {"Subscriptions": ends}

    def receive_message(self, **_):
        """Return the next message; after the last Ctrl-C is pressed."""
        if not self.bodies:
            raise KeyboardInterrupt
        number, body = len(self.bodies), self.bodies.pop(0)
        return {"Messages": [{"MessageId": f"m{number}", "ReceiptHandle": "r", "Body": body}]}

    def delete_message(self, **_):
        """Note that a message was deleted."""
        self.deleted.append(1)


@pytest.fixture
def listening(monkeypatch, aws_clients, capsys):
    """Return the function that listens to these messages, and returns what was printed."""

    def run(*bodies, portal=None, **options):
        aws_clients.every = aws = Aws(*bodies)
        aws_clients.deploy(STACK)
        monkeypatch.setattr(listen, "open_portal", lambda *_: portal)
        with pytest.raises(KeyboardInterrupt):
            command(**options)
        assert (aws.queues, aws.subscriptions) == ({}, {})
        assert len(aws.deleted) == len(bodies)
        return capsys.readouterr().out

    return run


@pytest.fixture
def printing(monkeypatch, tmp_path):
    """Put a reaction that prints and logs among the others."""
    (tmp_path / "printing.py").write_text(PRINTING, "utf-8")
    monkeypatch.setattr(reactions, "__path__", [*reactions.__path__, str(tmp_path)])
    yield monkeypatch
    sys.modules.pop("relay.reactions.printing", None)


def test_a_change_is_shown_and_the_queue_goes(listening):
    """A line says what changed and by whom, the next one its id; no queue is left behind."""
    output = listening(WON.to_json())
    assert f"{WON.time[11:19]}  deal {WON.id} " in output
    assert f"CHANGE={WON.change_id}" in output


def test_a_local_reaction_says_what_it_would_write(listening):
    """It reads the portal and writes nothing; what it would write uses the unknown ids."""
    portal = FakePortal({"crm.item.get": {"item": {}}})
    output = listening(WON.to_json(), run="follow_up", portal=portal)
    assert 'would write tasks.task.add {"fields": {"TITLE": "Call ' in output
    assert "Follow-up: task (new)" in output
    assert "handled, " in output
    assert portal.calls == []


def test_what_a_reaction_prints_and_logs_is_shown_with_its_name(listening, printing):
    """Each line has the name; a program that reads JSON gets none of them."""
    output = listening(WON.to_json(), run="printing", on="deal")
    shown = [
        line.strip() for line in output.splitlines() if line.startswith("          printing: ")
    ]
    texts = ("loaded", "[deal]", f"no phone  deal={WON.id}", "half a line")
    assert shown == [f"printing: {text}" for text in texts]
    printing.setattr(console, "quiet", True)
    assert len(listening(WON.to_json(), run="printing", on="deal").splitlines()) == 1


def test_other_changes_do_not_run_it(listening):
    """The filter counts, also while AWS does not obey a new one yet."""
    deleted = replace(WON, action="deleted", after={}, changed=())
    output = listening(deleted.to_json(), WON.to_json(), on="deal.updated")
    assert output.count("CHANGE=") == 1


def test_what_is_no_change_is_one_line(listening):
    """A stray message ends nothing and controls no terminal."""
    output = listening("\x1b[2J", WON.to_json())
    assert "a message that is no change" in output
    assert "\x1b" not in output
    assert "CHANGE=" in output


def test_a_program_gets_a_document_a_line(listening, monkeypatch):
    """With JSON=1 a line has the published document, and what the reaction would do."""
    monkeypatch.setattr(console, "quiet", True)
    (line,) = listening(WON.to_json(), run="follow_up", portal=FakePortal()).splitlines()
    document = json.loads(line)
    assert document["id"] == WON.change_id
    assert [one["method"] for one in document["reaction"]["writes"]] == [
        "tasks.task.add",
        "crm.timeline.comment.add",
    ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"write": True}, "WRITE=1 needs RUN"),
        ({"run": "nobody_there"}, r"there is no src/relay/reactions/nobody_there\.py"),
        (
            {"on": "dael"},
            r"no change or event 'dael'\n.*\nevents: \d+ codes such as ONCRMDEALUPDATE",
        ),
        ({"on": "comment"}, "\nevents: ONCRMTIMELINECOMMENTADD, ONCRMTIMELINECOMMENTDELETE, "),
    ],
)
def test_what_can_not_be_listened_to_is_said(aws_clients, options, text):
    """A wrong name makes no queue."""
    aws_clients.every = aws = Aws()
    aws_clients.deploy(STACK)
    with pytest.raises(SystemExit, match=text):
        command(**options)
    assert aws.queues == {}


def test_an_error_names_the_line_of_the_reaction(monkeypatch):
    """What a reaction raises is told with the file and the line, and the next change comes."""

    async def call(*_, **__):
        raise KeyError("task")

    monkeypatch.setattr(DryPortal, "call", call)
    reaction = LiveReaction("follow_up")
    tried = reaction.try_dry(WON.to_json(), lambda _name: FakePortal())
    assert re.fullmatch(r"KeyError: 'task' \(follow_up\.py:\d+\)", tried.error)
    assert reaction.try_dry("{", lambda _name: FakePortal()).error.startswith("JSONDecodeError")
    assert reaction.try_dry('{"a": 1}', lambda _name: FakePortal()).skipped


def test_a_queue_that_was_left_behind_is_removed():
    """One whose command was killed an hour ago goes with its subscription; others stay."""
    aws = Aws()
    left = TemporaryQueue(aws, aws, "changes", "relay-listen-1")
    used = TemporaryQueue(aws, aws, "changes", "relay-listen-2")
    aws.queues[left.url]["LastModifiedTimestamp"] = str(time.time() - LEFT_SECONDS - 1)
    remove_left(aws, aws, "changes", "relay-listen-")
    assert list(aws.queues) == [used.url]
    assert list(aws.subscriptions) == [f"arn:{used.url}"]


def test_messages_that_nobody_reads_are_kept_for_minutes():
    """A queue that is left behind holds nobody's data for long."""
    aws = Aws()
    with TemporaryQueue(aws, aws, "changes", "relay-listen-1", {"type": ["x"]}) as queue:
        assert aws.queues[queue.url]["MessageRetentionPeriod"] == "300"
        (subscription,) = aws.subscriptions.values()
        assert json.loads(subscription["FilterPolicy"]) == {"type": ["x"]}


@pytest.mark.parametrize(("number", "passes"), [(1, True), (1.0, True), (2, False), (True, False)])
def test_a_number_of_a_filter_is_compared(number, passes):
    """`make new` writes numbers as SNS wants them, and a filter is judged here as there."""
    policy = {"data": {"after": {"categoryId": [{"numeric": ["=", 1]}]}}}
    assert matches(policy, {"data": {"after": {"categoryId": number}}}) is passes
