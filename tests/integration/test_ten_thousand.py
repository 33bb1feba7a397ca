"""A webhook that was switched off while 10,000 deals were edited."""

from datetime import UTC, datetime

from tests.tracking_aws import OLD, metric
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

LATER = datetime.now(UTC).isoformat(timespec="seconds")


def test_ten_thousand_changes_without_an_event_are_found_by_one_sweep(relay, capsys):
    """Five listing requests, four or five reading ones, each announced once and counted."""
    for number in range(1, 10_001):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.sweep()  # measures how filters read times
    capsys.readouterr()
    for number in range(1, 10_001):
        relay.portal.put(2, number, title="b", updatedTime=LATER)
    relay.portal.requests = 0
    assert relay.sweep() == {"main": "done"}
    assert relay.portal.requests <= 5
    relay.portal.requests = 0
    relay.track_all(size=50)
    assert relay.portal.requests <= 5
    relay.announce_all()
    assert len({one["id"] for one in relay.topic.published}) == 10_000
    assert {one["data"]["via"] for one in relay.topic.published} == {"sweep"}
    assert len(relay.topic.published) == 10_000
    assert metric(capsys, "MissedChanges") == 10_000
