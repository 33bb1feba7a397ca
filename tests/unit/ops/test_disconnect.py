"""ops.disconnect: a portal's secrets go, at once and only with GO=1; what is known of it stays."""

import time

import pytest

from ops import disconnect
from ops.deployed import Deployed
from relay.tracking.sweep_state import KindProgress, SweepDocument, SweepState
from tests.parameter_store import ParameterStore
from tests.tracking_dynamo import FakeDynamo

PREFIX = "/relay/relay"
ALL = ["application-tokens", "webhook-urls/read", "webhook-urls/write", "robots"]


class Queues:
    """SQS: two records in each queue."""

    def get_queue_attributes(self, *, AttributeNames, **_):  # noqa: N803
        """Return one that is hidden, and one that is not."""
        return {"Attributes": dict.fromkeys(AttributeNames, "1")}


@pytest.fixture
def stack(aws_clients):
    """Return the secrets of portals main and second, with `notes`; both were swept."""
    store = ParameterStore(
        **{f"{PREFIX}/{branch}/{name}": "s3cr3t" for name in ("main", "second") for branch in ALL}
    )
    table, store.notes = FakeDynamo(), aws_clients.notes
    state = SweepState(table, "State")
    for name in ("main", "second"):
        state.acquire(name, "test", time.time(), 1)
        state.save(name, "test", SweepDocument({"deal": KindProgress("done")}))
    resources = {
        "StateTable": "State",
        "TrackQueue": "https://track",
        "FollowUpQueue": "https://follow",
        "FollowUpDeadLetters": "https://letters",
        "FollowUpFunctionQueue": "a mapping",
    }
    deployed = Deployed("relay", {"SecretsPrefix": PREFIX, "LogGroup": "logs"}, {}, resources)
    aws_clients.deploy(deployed).update(sqs=Queues(), dynamodb=table, ssm=store)
    return store


def left(store, portal):
    """Return the branches that a portal has."""
    return [one for one in ALL if f"{PREFIX}/{one}/{portal}" in store.parameters]


@pytest.mark.parametrize("options", [{}, {"dry": True}, {"dry": True, "go": True}])
def test_without_go_it_is_only_said(stack, capsys, options):
    """What would go, what waits, what stays; nothing is removed, and no secret is shown."""
    outcome = disconnect.command(portal="second", **options)
    assert outcome.document == {
        "portal": "second", "removed": [], "waiting": 4, "would_remove": ALL,
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert "its events are refused, within 5 minutes" in printed
    assert "4 records wait in queues, of all portals" in printed
    assert "GO=1 does it" in printed
    assert "s3cr3t" not in printed
    assert left(stack, "second") == ALL


def test_its_secrets_go_and_no_other_portal_s(stack, capsys):
    """The log says what was removed, without a value; once more there is nothing to be done."""
    outcome = disconnect.command(portal="second", go=True)
    assert outcome.document == {"portal": "second", "removed": ALL, "waiting": 4}
    assert left(stack, "second") == []
    assert left(stack, "main") == ALL
    assert stack.notes == [("disconnected", {"portal": "second", "removed": ALL})]
    assert "last portal" not in capsys.readouterr().out
    outcome = disconnect.command(portal="second", go=True)
    assert (outcome.document["removed"], outcome.left) == ([], False)
    assert "second is disconnected; nothing of it is stored" in capsys.readouterr().out


def test_what_was_removed_by_half_is_removed_whole(stack):
    """A portal with one secret left is no less connected."""
    for branch in ALL[:3]:
        del stack.parameters[f"{PREFIX}/{branch}/second"]
    assert disconnect.command(portal="second", go=True).document["removed"] == ["robots"]
    assert left(stack, "second") == []


@pytest.mark.usefixtures("stack")
def test_the_last_portal_comes_with_a_warning(capsys):
    """Without any token events are spilled instead of refused."""
    disconnect.command(portal="second", go=True)
    capsys.readouterr()
    disconnect.command(portal="main")
    assert "It is the last portal: events that still come are stored" in capsys.readouterr().out


@pytest.mark.usefixtures("stack")
def test_a_portal_that_never_was_is_refused():
    """A misspelt name is no portal that is disconnected already."""
    with pytest.raises(SystemExit, match=r"secnod is not connected: .*; connected: main, second"):
        disconnect.command(portal="secnod")
