"""Changes that were published, and those that an event should have reported."""

import time
from datetime import UTC, datetime

import pytest

from relay.tracking import wiring
from tests.tracking_aws import OLD, metric, sns_error


def test_what_no_event_could_announce_is_not_missed(relay, capsys):
    """A change of a kind that is not subscribed, or a move to another funnel, is not counted."""
    relay.portal.put(2, 1, title="a", categoryId=0, updatedTime=OLD)
    relay.portal.put(3, 1, name="a", updatedTime=OLD)
    relay.baseline()
    wiring.last_events().note("main", {"deal"}, time.time())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    relay.portal.put(2, 1, categoryId=9, updatedTime=now)
    relay.portal.put(3, 1, name="b", updatedTime=now)
    capsys.readouterr()
    relay.sweep()
    assert len(relay.settle()) == 2
    assert "MissedChanges" not in capsys.readouterr().out


@pytest.mark.parametrize("fails", ["update_item", "get_item"])
def test_what_is_only_counted_repeats_no_change(relay, monkeypatch, capsys, fails):
    """State that can't be noted or read is logged; the batch is done, and counted."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b", updatedTime=datetime.now(UTC).isoformat(timespec="seconds"))
    relay.sweep()
    relay.track_all()
    real = getattr(relay.dynamo, fails)

    def away(*, Key, **options):  # noqa: N803
        if Key["pk"]["S"].startswith("seen#"):
            raise sns_error("ThrottlingException")
        return real(Key=Key, **options)

    monkeypatch.setattr(relay.dynamo, fails, away)
    capsys.readouterr()
    relay.announce_all()
    assert len(relay.topic.published) == 1
    assert metric(capsys, "announced") == 1


def test_a_funnel_of_a_new_deal_is_no_move(relay, capsys):
    """A deal that only a sweep found was missed by its event, whichever funnel it is in."""
    relay.baseline()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    relay.portal.put(2, 1, title="a", categoryId=3, updatedTime=now)
    relay.sweep()
    capsys.readouterr()
    relay.settle()
    assert metric(capsys, "MissedChanges") == 1


def test_what_its_event_announced_is_not_missed_and_a_new_item_lists_no_names(relay, capsys):
    """Only what a sweep found is missed; a log line names the fields of an update alone."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    relay.settle()
    relay.portal.put(2, 1, title="b")
    relay.event(1)
    capsys.readouterr()
    relay.settle()
    out = capsys.readouterr().out
    assert "MissedChanges" not in out
    assert "deal 1 updated title, event" in out
    relay.portal.put(2, 2, title="a")
    relay.event(2, "add")
    relay.settle()
    assert "deal 2 added, event" in capsys.readouterr().out
