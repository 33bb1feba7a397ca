"""ops.portal_list: one look at each portal, without a secret; what is wrong is the exit status."""

import time

import pytest

from ops import portal_list
from ops.deployed import Deployed
from relay.tracking.brake import Brake
from relay.tracking.event_times import MISSED, LastEvents
from relay.tracking.sweep_state import KindProgress, SweepDocument, SweepState
from tests.parameter_store import ParameterStore
from tests.tracking_dynamo import FakeDynamo

PREFIX = "/relay/relay"
URL = "https://a.example/rest/1/s3cr3ts3cr3t/"


@pytest.fixture
def stack(aws_clients, portals):
    """Return the store of a stack with a portal that has all; `table` is its State table."""
    store = ParameterStore(
        **{
            f"{PREFIX}/application-tokens/main": "t0k3n\nolder",
            f"{PREFIX}/webhook-urls/read/main": URL,
            f"{PREFIX}/webhook-urls/write/main": URL,
        }
    )
    store.table = FakeDynamo()
    deployed = Deployed("relay", {"SecretsPrefix": PREFIX}, {}, {"StateTable": "State"})
    aws_clients.deploy(deployed).update(dynamodb=store.table, ssm=store)
    store.portals = portals
    return store


def sweep(stack, **kinds):
    """Store how far the mirror of portal main is."""
    state = SweepState(stack.table, "State")
    state.acquire("main", "test", time.time(), 1)
    progress = {
        name: KindProgress(how, item_count=12, missing_rows=5, refused=how is None)
        for name, how in kinds.items()
    }
    state.save("main", "test", SweepDocument(progress))


def test_a_portal_that_works_leaves_nothing_to_be_done(stack, capsys):
    """What is stored is counted, and no secret is shown."""
    sweep(stack, deal="done", lead=None)
    LastEvents(stack.table, "State").note("main", {"deal"}, time.time() - 360)
    outcome = portal_list.command()
    assert outcome.left is False
    assert capsys.readouterr().out.splitlines() == [
        "main",
        "  stored   2 tokens; webhooks: read yes, write yes",
        "  robots   none",
        "  event    the last came 6 min ago",
        "  mirror   filled",
        "  blocked  no",
    ]
    assert "s3cr3t" not in str(outcome)
    assert "t0k3n" not in str(outcome)


def test_what_is_wrong_with_a_portal_is_said_with_the_next_command(stack, capsys):
    """A refused webhook, held disappearances and a mirror that is not full; the status is 1."""
    stack.portals.answers[""] = ("OVERLOAD_LIMIT", "blocked")
    sweep(stack, deal="reading", lead="done")
    LastEvents(stack.table, "State").note("main", {MISSED}, time.time())
    Brake(stack.table, "State").take("main", 1000, 10, time.time() - 7300)
    outcome = portal_list.command()
    assert outcome.left is True
    printed = capsys.readouterr().out
    assert "event    none came yet" in printed
    assert "mirror   being filled: deal 7 of 12" in printed
    assert "blocked  read: profile: OVERLOAD_LIMIT: blocked; write: " in printed
    assert "held     disappearances, for 2 h: `make release PORTAL=main`" in printed
    assert "next     `make rotate PORTAL=main` takes other webhooks" in printed


def test_what_a_portal_lacks_is_named(stack, capsys):
    """Half of a connection, or of a disconnection, is no portal that works."""
    del stack.parameters[f"{PREFIX}/application-tokens/main"]
    del stack.parameters[f"{PREFIX}/webhook-urls/write/main"]
    assert portal_list.command().left is True
    printed = capsys.readouterr().out
    assert "stored   0 tokens; webhooks: read yes, write no" in printed
    assert "mirror   never swept" in printed
    lacking = "application-tokens, webhook-urls/write"
    assert f"next     `make connect PORTAL=main` stores {lacking}" in printed


def test_without_a_portal_the_first_command_is_named(stack, capsys):
    """An empty list is something to be done."""
    stack.parameters.clear()
    outcome = portal_list.command()
    assert (outcome.document, outcome.left) == ({"stack": "relay", "portals": []}, True)
    assert "no portal is connected: `make connect`" in capsys.readouterr().out
