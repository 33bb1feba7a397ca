"""A webhook that was switched off while 10,000 deals were edited."""

import json
from datetime import UTC, datetime

from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

OLD = "2026-01-01T12:00:00+03:00"
LATER = datetime.now(UTC).isoformat(timespec="seconds")


def metric(capsys, name):
    """Return the sum of a metric in what was written."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return sum(sum(line[name]) for line in lines if "_aws" in line and name in line)


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
