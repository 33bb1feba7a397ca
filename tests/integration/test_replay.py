"""make replay, make apply: a deployed reaction over what happened, or over what exists."""

import json
import random
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ops import replay, resend
from ops.dead_letters import COUNTS
from ops.past import Past
from ops.reactions import LocalReaction, find_reaction
from ops.stopping import Stop
from relay.change import Change
from relay.reactions.follow_up import follow_up
from relay.state_table import checkpoint_key
from tests.pasts import STACK, Tables, react, won
from tests.tracking_aws import LATER, OLD
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

DEPLOYED = replace(
    STACK,
    outputs={"LogGroup": "logs"},
    resources=STACK.resources | {"FollowUpQueue": "https://sqs/follow_up"},
)
ALL = {"data": {"action": ["added", "updated"]}}


class Queue:
    """SQS and the log: what was sent, in its order; `stop_after` batches it fails."""

    def __init__(self):
        self.sent, self.stop_after, self.times, self.sizes = [], 10**9, [], []

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Take up to ten messages."""
        assert QueueUrl == "https://sqs/follow_up"
        assert len(Entries) <= 10
        self.times.append(time.monotonic())
        self.sizes.append(len(Entries))
        if self.stop_after <= 0:
            return {"Failed": [{"Id": one["Id"], "Code": "Unavailable"} for one in Entries]}
        self.stop_after -= 1
        self.sent += [json.loads(one["MessageBody"]) for one in Entries]
        return {}

    def get_queue_attributes(self, **_):
        """Count what was sent and not handled."""
        return {"Attributes": dict.fromkeys(COUNTS, "0") | {COUNTS[0]: str(len(self.sent))}}

    def get_caller_identity(self):
        """Say who runs the command."""
        return {"Arn": "arn:aws:iam::1:user/ada"}

    def create_log_stream(self, **_):
        """Make a stream of the audit."""

    def put_log_events(self, *, logEvents, **_):  # noqa: N803
        """Take the audit's line."""
        self.audit = json.loads(logEvents[-1]["message"])


@pytest.fixture
def queue(relay, monkeypatch, aws_clients):
    """Return the queue of follow_up, joined to the commands."""
    queue, tables = Queue(), Tables(relay)
    queue.tables = tables
    local = LocalReaction("follow_up", follow_up, True, ALL)
    monkeypatch.setattr(replay, "find_reaction", lambda _name: local)
    aws_clients.deploy(DEPLOYED).update(dynamodb=tables, sqs=queue, logs=queue, sts=queue)
    return queue


def delivered(queue):
    """Let follow_up handle what was sent; return the portal's calls."""
    messages, queue.sent = queue.sent, []
    return react(queue.tables, messages)


def test_what_was_missed_is_made_good_once(relay, queue, capsys):
    """Of 40 won deals 25 were handled: a replay sends the others, and a second one nobody."""
    react(queue.tables, won(relay, 40)[:25])
    outcome = replay.replay_command("follow_up", "1h")
    printed = "25 done, 15 without a recorded write, 0 failed or unfinished; 15 to be sent"
    assert printed in capsys.readouterr().out
    assert (outcome.document["sent"], outcome.left) == (15, False)
    assert queue.audit["changes"] == 15
    assert len(delivered(queue)) == 15 * 2
    assert replay.replay_command("follow_up", "1h").document["sent"] == 0
    assert queue.sent == []


def test_changes_are_sent_as_they_were_announced_in_their_order(relay, queue):
    """An item's versions follow each other."""
    announced = won(relay, 3)
    for number in (1, 2, 3):
        relay.portal.put(2, number, title="b", updatedTime=LATER)
        relay.event(number)
    announced += relay.settle()
    replay.replay_command("follow_up", "1h")
    assert [one["data"]["version"] for one in queue.sent] == [2, 2, 2, 3, 3, 3]
    by_id = {one["id"]: one for one in announced}
    for one in queue.sent:
        then = by_id[one["id"]]["data"]
        assert one["data"]["before"] == then["before"]
        assert one["data"]["after"]["stageId"] == then["after"]["stageId"]


def test_a_dry_run_sends_nothing_and_estimates(relay, queue, capsys):
    """Two writes a change are 100 in two requests; at five a second they take ten seconds."""
    react(queue.tables, won(relay, 100)[:50])
    outcome = replay.replay_command("follow_up", "1h", rate=5, dry=True)
    assert (queue.sent, outcome.left) == ([], False)
    out = capsys.readouterr().out
    assert "about 100 writes in 2 requests, if they write as the done ones did" in out
    assert "sent within 10 s, 5 a second" in out
    assert out.endswith("nothing was sent; without DRY=1 it is\n")


def test_an_estimate_counts_the_writes_of_done_changes_only(relay, queue, capsys):
    """Changes that are being handled have writes too; two a change are 60 for the other 30."""
    messages = won(relay, 40)
    react(queue.tables, messages[:20])
    for one in messages[:10]:
        queue.tables.rows[checkpoint_key("follow_up", one["id"])]["failures"] = {"N": "1"}
    replay.replay_command("follow_up", "1h", dry=True)
    out = capsys.readouterr().out
    assert "10 done, 20 without a recorded write, 10 failed or unfinished; 30 to be sent" in out
    assert "about 60 writes in 2 requests, if they write as the done ones did" in out


@pytest.mark.usefixtures("queue")
def test_a_long_replay_says_its_time_in_minutes(relay, capsys):
    """Nobody divides 2,000 seconds by 60."""
    won(relay, 20)
    replay.replay_command("follow_up", "1h", rate=0.05, dry=True)
    assert "sent within 7 min, 0.05 a second" in capsys.readouterr().out


def test_only_chooses_what_is_sent(relay, queue):
    """A change whose reaction failed, or was killed before a write was done, is `failed`."""
    messages = won(relay, 12)
    react(queue.tables, messages[:4])
    row = queue.tables.rows[checkpoint_key("follow_up", messages[0]["id"])]
    row["failures"] = {"N": "1"}
    assert replay.replay_command("follow_up", "1h", only="failed").document["sent"] == 1
    assert replay.replay_command("follow_up", "1h", only="missing").document["sent"] == 8
    with pytest.raises(SystemExit, match="ONLY is missing or failed, not 'all'"):
        replay.replay_command("follow_up", "1h", only="all")


def test_a_replay_that_is_broken_off_anywhere_writes_once(relay, queue, capsys):
    """After breaks at random batches each deal has its two writes, and none more."""
    won(relay, 200)
    chance, calls = random.Random(4), []
    for _ in range(30):
        queue.stop_after = chance.randint(0, 6)
        outcome = replay.replay_command("follow_up", "1h")
        messages = queue.sent + chance.sample(queue.sent, len(queue.sent) // 3)
        queue.sent = messages  # SQS delivers some of them twice
        calls += delivered(queue)
        if not outcome.left:
            break
    assert not outcome.left
    assert "the same command sends them" in capsys.readouterr().out
    comments = [params["fields"]["ENTITY_ID"] for name, params in calls if "comment" in name]
    assert sorted(map(int, comments)) == list(range(1, 201))
    assert len(calls) == 400


@pytest.mark.usefixtures("queue")
def test_who_repeats_a_replay_too_early_is_told(relay, capsys):
    """What the queue has is sent again; an empty queue is not worth a line."""
    won(relay, 12)
    replay.replay_command("follow_up", "1h")
    assert "still in" not in capsys.readouterr().out
    replay.replay_command("follow_up", "1h")
    printed = "12 records still in the reaction's queue: what is sent twice is handled once"
    assert printed in capsys.readouterr().out


def test_a_rate_is_kept(relay, queue):
    """Thirty changes at 200 a second take a tenth of a second at least."""
    won(relay, 30)
    began = time.monotonic()
    replay.replay_command("follow_up", "1h", rate=200)
    assert len(queue.sent) == 30
    assert queue.times[-1] - began >= 0.1


def test_no_more_go_at_once_than_a_second_allows(relay, queue, monkeypatch):
    """At three a second a request has three changes, not ten."""
    won(relay, 7)
    monkeypatch.setattr(Stop, "sleep", lambda *_: None)
    replay.replay_command("follow_up", "1h", rate=3)
    assert queue.sizes == [3, 3, 1]


def test_what_would_be_done_twice_is_refused(queue):
    """The record of what was written goes back 30 days, and no replay further."""
    with pytest.raises(SystemExit, match="SINCE=29d is the most"):
        replay.replay_command("follow_up", "40d")
    assert queue.sent == []


def test_a_reaction_that_is_not_deployed_is_refused(queue, aws_clients):
    """The error says where the list is."""
    aws_clients.deploy(STACK)
    with pytest.raises(SystemExit, match="follow_up is not deployed in stack relay: add it to"):
        replay.replay_command("follow_up", "1h")
    assert queue.sent == []


def test_a_reaction_is_applied_to_what_exists(relay, queue):
    """Every won deal of the mirror gets its task, those from before the relay too; once."""
    for number in range(1, 8):
        stage = {"stageId": "WON", "stageSemanticId": "S"} if number % 2 else {"stageId": "NEW"}
        relay.portal.put(2, number, title="t", assignedById=number, **stage, updatedTime=OLD)
    relay.baseline()
    outcome = replay.apply_command("follow_up", "deal", where="stageId=WON, assignedById!=7")
    assert (outcome.document["sent"], outcome.left) == (3, False)
    assert {one["type"] for one in queue.sent} == {"com.bitrix24.deal.added"}
    assert len(delivered(queue)) == 6
    assert replay.apply_command("follow_up", "deal", where="stageId=WON").document["sent"] == 1


@pytest.mark.parametrize("kept", [0, 10**9])
def test_a_reading_that_changed_nothing_does_not_make_an_item_new(relay, queue, monkeypatch, kept):
    """A deal that was handled once is done, however often it is read; in a history of any size."""
    monkeypatch.setattr(Past, "count", lambda _past: kept)
    react(queue.tables, won(relay, 2))
    relay.portal.put(2, 3, title="old", stageId="WON", stageSemanticId="S", assignedById=1)
    relay.event(3)
    relay.settle()
    replay.apply_command("follow_up", "deal")
    assert [one["subject"] for one in queue.sent] == ["deal/3"]
    delivered(queue)
    for number in (1, 2, 3):
        relay.event(number)
    relay.settle()
    assert replay.apply_command("follow_up", "deal").document["sent"] == 0


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"to": "user"}, "the mirror has no kind 'user'"),
        ({"to": "deal", "where": "stageId"}, "WHERE=stageId is no condition"),
        ({"to": "deal", "where": "opportunity>5"}, "is no condition"),
    ],
)
def test_what_can_not_be_applied_is_refused(queue, asked, text):
    """The error shows how it is written."""
    with pytest.raises(SystemExit, match=text):
        replay.apply_command("follow_up", **asked)
    assert queue.sent == []


def test_a_kind_that_a_reaction_does_not_take_is_refused(queue, monkeypatch):
    """Each record would be handled by the first line of the reaction, and nothing be done."""
    monkeypatch.setattr(replay, "find_reaction", find_reaction)
    with pytest.raises(SystemExit, match="does not subscribe to contact: its filter takes deal"):
        replay.apply_command("follow_up", "contact")
    assert queue.sent == []


def test_nothing_to_apply_to_is_said(relay, queue, capsys):
    """A kind without items sends nothing."""
    relay.baseline()
    assert replay.apply_command("follow_up", "deal").document["sent"] == 0
    assert "the mirror has no such deal of portal main" in capsys.readouterr().out
    assert queue.sent == []


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("STAGE_ID!=WON", "no such item in the mirror has STAGE_ID; did you mean stageId?"),
        ("stageId=WON,asignedById!=5", "has asignedById; did you mean assignedById?"),
        ("UF_CRM_1!=5", "no such item in the mirror has UF_CRM_1$"),
    ],
)
def test_a_condition_on_a_field_that_no_item_has_is_refused(relay, queue, where, text):
    """A misspelt `!=` would hold of all items, and all of them would be sent."""
    relay.portal.put(2, 1, title="t", stageId="WON", assignedById=5, updatedTime=OLD)
    relay.baseline()
    with pytest.raises(SystemExit, match=text):
        replay.apply_command("follow_up", "deal", where=where)
    assert queue.sent == []


def test_large_changes_travel_in_requests_that_fit(queue):
    """Ten Changes of 200 KB are three requests."""
    change = Change(
        change_id="a", portal="main", entity="deal", entity_type_id=2, id="1", action="added",
        version=1, time="", after={"comments": "x" * 200_000},
    )  # fmt: skip
    audit = SimpleNamespace(try_to_note=lambda *_: None)
    assert resend.send(queue, "https://sqs/follow_up", [change] * 10, 0, Stop(), audit) == 10
    assert queue.sizes == [4, 4, 2]


def test_reactions_are_found_with_their_filters():
    """The entry of template.yaml has the filter; other names list those that there are."""
    found = find_reaction("tidy_phone")
    assert (found.queue, found.wants_portal) == ("TidyPhoneQueue", True)
    assert found.policy["data"]["changed"] == ["fm"]
    with pytest.raises(SystemExit, match=r"NAME is one of .*follow_up"):
        find_reaction("nope")
    with pytest.raises(SystemExit, match="journal reacts to events"):
        find_reaction("journal")
