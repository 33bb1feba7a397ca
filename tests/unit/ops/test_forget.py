"""ops.forget: what the history keeps of an item is deleted, and nothing is guessed after that."""

import time

import pytest

from ops import forget
from ops.timeline import GapError
from relay.tracking.row import Key
from tests.pasts import STACK, past_of
from tests.tracking_aws import LATER, OLD
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]


@pytest.fixture
def deals(relay, aws_clients):
    """Return a relay with a deal of 28 changes, and one of a single change."""
    relay.notes = aws_clients.deploy(STACK).notes
    aws_clients["dynamodb"] = relay.dynamo
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.began = time.time()
    for number, changes in ((1, 28), (2, 1)):
        for at in range(changes):
            relay.portal.put(2, number, title=f"secret {at}", updatedTime=LATER)
            relay.event(number)
            relay.track_all()
    relay.announce_all()
    return relay


def test_without_go_nothing_is_deleted(deals, capsys):
    """The command says how many changes there are."""
    forget.command("deal/1")
    assert "deal/1: 28 changes would be forgotten for good; GO=1 does it" in capsys.readouterr().out
    assert len(deals.dynamo.history) == 29


def test_an_item_is_forgotten_and_its_past_is_no_guess(deals, capsys):
    """One row without content stays; `asof` says that something was forgotten."""
    forget.command("deal/1", go=True)
    assert deals.notes == [("forgotten", {"subject": "deal/1", "portal": "main", "changes": 28})]
    mine = {key: row for key, row in deals.dynamo.history.items() if key[0] == "main/deal/1"}
    assert len(mine) == 1
    assert "secret" not in str(mine)
    assert len(deals.dynamo.history) == 2
    timeline = past_of(deals).timeline(Key("main", "deal", 1))
    with pytest.raises(GapError, match="was forgotten"):
        timeline.at(deals.began)
    assert timeline.at(time.time())["title"] == "secret 27"
    capsys.readouterr()
    forget.command("deal/1", go=True)
    assert "the history has nothing of deal/1" in capsys.readouterr().out


def test_changes_after_it_are_kept_as_ever(deals):
    """The next change has its former value in the history."""
    forget.command("deal/1", go=True)
    before = time.time()
    deals.portal.put(2, 1, title="new", updatedTime=LATER)
    deals.event(1)
    deals.settle()
    assert past_of(deals).timeline(Key("main", "deal", 1)).at(before)["title"] == "secret 27"
