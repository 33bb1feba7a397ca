"""Changes that were published, and those that an event should have reported."""

import time
from datetime import UTC, datetime

import pytest

from relay.tracking import wiring
from relay.tracking.event_times import MISSED
from tests.tracking_aws import OLD, metric
from tests.tracking_queues import sns_error


def test_a_change_without_an_event_to_expect_is_not_missed(relay, capsys):
    """Kinds that are not subscribed and moves to another funnel count as no missed change."""
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


def test_an_edit_that_only_a_sweep_found_is_missed(relay, capsys):
    """An update that should have had an event, and whose event never came, is counted."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b", updatedTime=datetime.now(UTC).isoformat(timespec="seconds"))
    relay.sweep()
    capsys.readouterr()
    assert len(relay.settle()) == 1
    assert metric(capsys, "MissedChanges") == 1


@pytest.mark.parametrize("fails", ["update_item", "get_item"])
def test_statistics_that_fail_repeat_no_change(relay, capsys, fails):
    """If times of events can't be read or noted, the batch is done and counted all the same."""
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

    setattr(relay.dynamo, fails, away)
    capsys.readouterr()
    relay.announce_all()
    assert len(relay.topic.published) == 1
    assert metric(capsys, "announced") == 1


def test_a_funnel_of_a_new_deal_is_no_move(relay, capsys):
    """A new deal that only a sweep found counts as a missed change, whatever its funnel."""
    relay.baseline()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    relay.portal.put(2, 1, title="a", categoryId=3, updatedTime=now)
    relay.sweep()
    capsys.readouterr()
    relay.settle()
    assert metric(capsys, "MissedChanges") == 1
    assert set(wiring.last_events().read("main")) == {MISSED}  # for the alarm of silence


def test_changes_with_an_event_are_not_missed(relay, capsys):
    """Changes that came by events count as not missed."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    relay.settle()
    relay.portal.put(2, 1, title="b")
    relay.event(1)
    capsys.readouterr()
    relay.settle()
    assert "MissedChanges" not in capsys.readouterr().out
