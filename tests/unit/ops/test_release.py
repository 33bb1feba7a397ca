"""`make release`."""

from types import SimpleNamespace

import pytest

from ops import release
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]


@pytest.fixture
def stack(relay, monkeypatch):
    """Let the command find the tables of the tests of tracking."""
    deployed = SimpleNamespace(resource=lambda _name: "State")
    monkeypatch.setattr(release, "find_stack", lambda _name: deployed)
    monkeypatch.setattr(release, "check_swept", lambda *_: None)
    monkeypatch.setattr(release.boto3, "client", lambda _name: relay.dynamo)
    return relay.dynamo.state


def test_a_brake_that_holds_is_released_for_a_day(stack, capsys):
    """What is held is let go, and the next hours are named."""
    stack["brake#main"] = {"pk": {"S": "brake#main"}, "tripped": {"N": "1"}}
    assert release.command().document["accepts_hours"] == 24
    assert "tripped" not in stack["brake#main"]
    assert "in the next 24 hours are announced as deleted" in capsys.readouterr().out


def test_a_brake_that_holds_nothing_stays_as_it_is(stack, capsys):
    """A release by mistake accepts no disappearance that is still to come."""
    assert release.command().document == {"portal": "main", "was_held": False}
    assert "brake#main" not in stack
    assert "nothing was held back" in capsys.readouterr().out
