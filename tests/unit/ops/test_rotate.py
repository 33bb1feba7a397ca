"""ops.rotate: new credentials beside the older ones, then without them; no secret is printed."""

import io
import json
import time
from hashlib import sha256

import pytest

from ops import rotate
from ops.deployed import Deployed
from ops.prove import Proof
from relay.ingress.tokens import OLDER_USED, TokenCache
from relay.ingress.verify import owner_of
from tests.parameter_store import ParameterStore

URL, OTHER = "https://a.example/rest/1/oldsecret1/", "https://a.example/rest/2/newsecret2/"
PREFIX = "/relay/relay"
TOKENS = f"{PREFIX}/application-tokens/main"
READ, WRITE = f"{PREFIX}/webhook-urls/read/main", f"{PREFIX}/webhook-urls/write/main"


class Aws:
    """SQS with so many requests in the spill queue, and a log whose lines are searched."""

    spilled = 0

    def __init__(self):
        self.lines = []

    def get_paginator(self, name):
        """Return the log's paginator."""
        assert name == "filter_log_events"
        return self

    def paginate(self, *, logGroupName, filterPattern, startTime, endTime):  # noqa: N803
        """Yield one page with the lines of the time."""
        assert (logGroupName, filterPattern) == ("logs", f'"{OLDER_USED}"')
        found = [line for line in self.lines if startTime <= line["timestamp"] <= endTime]
        yield {"events": found}

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        """Return half of them as hidden."""
        assert QueueUrl == "spill"
        half = self.spilled // 2
        return {"Attributes": dict(zip(AttributeNames, (half, self.spilled - half), strict=True))}


@pytest.fixture
def stack(monkeypatch, aws_clients, portals):
    """Return a connected portal's store, with `enter`, `aws` and `notes`."""
    store = ParameterStore(**{TOKENS: "old-token", READ: URL, WRITE: URL})
    store.aws, store.notes = Aws(), aws_clients.notes
    deployed = Deployed(
        "relay", {"SecretsPrefix": PREFIX, "LogGroup": "logs"}, {}, {"SpillQueue": "spill"}
    )
    aws_clients.every = store.aws
    aws_clients.deploy(deployed)["ssm"] = store
    aws_clients["logs"].get_paginator = store.aws.get_paginator
    monkeypatch.setattr(rotate, "run_proof", lambda *_: store.proof)
    store.portals = portals

    def enter(*lines):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    store.enter = enter
    return store


def test_a_new_token_stands_beside_the_older_one(stack, capsys):
    """Both are accepted; the second step is told, who did it is logged, no secret is shown."""
    stack.enter("new-token")
    outcome = rotate.command()
    assert stack.parameters == {TOKENS: "new-token\nold-token", READ: URL, WRITE: URL}
    assert outcome.document == {"portal": "main", "tokens": 2, "changed": ["application-tokens"]}
    printed = capsys.readouterr().out
    assert "`make rotate PORTAL=main FINISH=1`" in printed
    assert stack.notes == [("rotated", {"portal": "main", "changed": ["application-tokens"]})]
    assert "new-token" not in printed + str(stack.notes)
    assert "old-token" not in printed + str(stack.notes)


def test_a_webhook_alone_is_replaced(stack, capsys):
    """The other one and the token stay; when to delete the older one is told."""
    stack.enter("", "", OTHER)
    outcome = rotate.command()
    assert stack.parameters == {TOKENS: "old-token", READ: URL, WRITE: OTHER}
    assert outcome.document["changed"] == ["webhook-urls/write"]
    printed = capsys.readouterr().out
    assert "in 20 minutes" in printed
    assert "newsecret2" not in printed


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), "nothing was entered, so nothing was changed"),
        (("", "https://b.example/rest/1/secretsecret/"), "reading is from b.example, writing to a"),
        (("two words",), "not an application token"),
    ],
)
def test_what_can_not_be_the_portal_s_changes_nothing(stack, lines, reason):
    """Nothing entered, a webhook of another portal and a bad token exit with the reason."""
    before = dict(stack.parameters)
    stack.enter(*lines)
    with pytest.raises(SystemExit, match=reason):
        rotate.command()
    assert stack.parameters == before


def test_a_webhook_that_does_not_work_changes_nothing(stack):
    """Not even the token that was entered before it; in a pipe nobody is asked again."""
    stack.portals.answers[""] = ("INVALID_CREDENTIALS",)
    stack.enter("new-token", OTHER)
    with pytest.raises(SystemExit, match=r"INVALID_CREDENTIALS.*; nothing was stored"):
        rotate.command()
    assert stack.parameters[TOKENS] == "old-token"


def test_a_token_that_was_stored_meanwhile_stays(stack):
    """What is added to is read after everything was entered, not before."""
    stack.enter("new-token")
    entered = rotate.ask_webhook

    def other_operator(*arguments, **options):
        stack.parameters[TOKENS] = "others\nold-token"
        return entered(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotate, "ask_webhook", other_operator)
        rotate.command()
    assert stack.parameters[TOKENS] == "new-token\nothers\nold-token"


def test_a_rotation_that_is_run_again_changes_nothing_more(stack):
    """A command that was killed between its writes is repeated whole."""
    for _ in range(2):
        stack.enter("new-token", OTHER, OTHER)
        rotate.command()
    assert stack.parameters == {TOKENS: "new-token\nold-token", READ: OTHER, WRITE: OTHER}


def accepted(store):
    """Return which of both tokens ingress takes for portal main's."""
    tokens = TokenCache(read=lambda: {"main": store.parameters[TOKENS]}).tokens()
    return [
        one for one in ("old-token", "new-token") if owner_of(sha256(one.encode()).digest(), tokens)
    ]


def test_ingress_takes_both_tokens_until_the_second_step(stack):
    """The older one is accepted for as long as events may bear it."""
    assert accepted(stack) == ["old-token"]
    stack.enter("new-token")
    rotate.command()
    assert accepted(stack) == ["old-token", "new-token"]
    rotate.command(finish=True)
    assert accepted(stack) == ["new-token"]


def test_the_second_step_keeps_the_newest_token(stack, capsys):
    """Older ones are dropped; once more it finds none."""
    stack.parameters[TOKENS] = "new\nold\nolder"
    for changed in (["older tokens"], []):
        outcome = rotate.command(finish=True)
        assert outcome.document == {"portal": "main", "tokens": 1, "changed": changed}
        assert stack.parameters[TOKENS] == "new"
    printed = capsys.readouterr().out
    assert "2 older token(s) are refused after 5 minutes" in printed
    assert "main has no older token" in printed


def test_the_second_step_waits_for_the_spill_queue(stack):
    """A stored request bears the token that it came with, for up to 14 days."""
    stack.parameters[TOKENS] = "new\nold"
    stack.aws.spilled = 3
    with pytest.raises(SystemExit, match="3 requests wait in SpillQueue and may bear an older"):
        rotate.command(finish=True)
    assert stack.parameters[TOKENS] == "new\nold"


def came(hours, portal="main"):
    """Return ingress's line about an older token that came so many hours ago."""
    at = time.time() - hours * 3600
    fields = {"message": OLDER_USED, "portal": portal, "service": "ingress"}
    return {"timestamp": int(at * 1000), "message": json.dumps(fields)}


def test_the_second_step_waits_until_no_older_token_comes(stack):
    """Its webhook may still be there, or its events late; GO=1 refuses a leaked one at once."""
    stack.parameters[TOKENS] = "new\nold"
    stack.aws.lines = [came(2.9), came(1.0, portal="second")]
    with pytest.raises(SystemExit, match=r"an older token came at .* GO=1 refuses it now"):
        rotate.command(finish=True)
    assert stack.parameters[TOKENS] == "new\nold"
    rotate.command(finish=True, go=True)
    assert stack.parameters[TOKENS] == "new"


def test_an_older_token_of_long_ago_is_refused_from_now_on(stack):
    """Nor does that of another portal matter."""
    stack.parameters[TOKENS] = "new\nold"
    stack.aws.lines = [came(3.1), came(1.0, portal="second")]
    rotate.command(finish=True)
    assert stack.parameters[TOKENS] == "new"


@pytest.mark.usefixtures("stack")
def test_a_portal_that_is_not_connected_is_refused():
    """The error names those that are."""
    with pytest.raises(SystemExit, match=r"second is not connected: .*; connected: main"):
        rotate.command(portal="second")
    with pytest.raises(SystemExit, match="PROVE=1 then"):
        rotate.command(finish=True, prove=True)


@pytest.mark.parametrize("seconds", [1.5, None])
def test_a_proof_needs_nothing_new(stack, seconds):
    """`make rotate PROVE=1` with empty lines proves what is stored; its failure is the status."""
    stack.proof = Proof("contact/7", seconds, "", deleted=True)
    stack.enter()
    outcome = rotate.command(prove=True)
    assert outcome.document["proof"]["seconds"] == seconds
    assert outcome.left is (seconds is None)
    assert stack.notes == []
