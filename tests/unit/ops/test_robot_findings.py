"""ops.robot_findings: what the log of ingress says of robots, and what doctor makes of it."""

import json

from ops.findings import LOOK, OK
from ops.robot_findings import MAX_SHOWN, PATTERN, calls_of, read_calls, robot_findings
from ops.secrets import ROBOTS
from relay.ingress.robots import ROUTE


def entry(at, **line):
    """Return a log entry of ingress."""
    message = json.dumps({"service": "ingress", **line})
    return {"timestamp": int(at * 1000), "message": message}


REFUSED = {"message": "refused", "route": ROUTE}
CALLED = {"message": "published", "event_name": "robot.send_contract"}


def findings(*entries, subscribed=()):
    """Return the findings of these log entries."""
    secrets = {"main": {ROBOTS: "a\nb"}, "second": {}}
    return list(robot_findings(secrets, calls_of(entries), set(subscribed)))


def test_refused_calls_are_named_by_time_and_route():
    """Refusals are counted by reason with their latest times, and tell nothing of the address."""
    entries = [entry(1_766_047_125 + n, code="not_verified", **REFUSED) for n in range(5)]
    found = findings(*entries, entry(1_766_047_000, code="malformed", **REFUSED))
    malformed, refused = [one for one in found if one.level == LOOK]
    assert refused.text.startswith(f"5 calls of {ROUTE} refused in a day, not_verified, 2025-12-18")
    assert refused.text.count("UTC") == MAX_SHOWN
    assert "08:38:49 UTC, " in refused.text
    assert "`make robot`" in refused.text
    assert malformed.text.startswith(f"1 calls of {ROUTE}")


def test_a_robot_that_starts_nothing_is_named():
    """A call of a name that no reaction subscribes to is a LOOK, another is OK."""
    texts = [one.text for one in findings(entry(1, **CALLED), entry(2, **CALLED))]
    assert any(text.startswith("robot send_contract called 2 times") for text in texts)
    found = findings(entry(1, **CALLED), subscribed=["send_contract"])
    assert [one.level for one in found] == [OK, OK]


def test_only_lines_of_ingress_are_believed():
    """A reaction logs what it likes: lines of others, of no JSON or of events count for nothing."""
    lines = [
        {"timestamp": 1, "message": "START RequestId"},
        {"timestamp": 1, "message": "[]"},
        entry(1, **REFUSED | {"service": "journal"}),
        entry(1, message="refused", code="not_verified"),
        entry(1, message="published", event_name="ONCRMDEALADD"),
    ]
    assert [one.text for one in findings(*lines)] == ["portal main: 2 secret(s) of robots"]


def test_a_day_of_one_log_group_is_read():
    """The log is asked for robots' lines of the last day, page after page."""
    asked = []

    class Logs:
        def get_paginator(self, name):
            assert name == "filter_log_events"
            return self

        def paginate(self, **request):
            asked.append(request)
            return [{"events": [entry(1, **CALLED)]}, {"events": [entry(2, **CALLED)]}]

    assert read_calls(Logs(), "group").published == {"send_contract": 2}
    assert (asked[0]["logGroupName"], asked[0]["filterPattern"]) == ("group", PATTERN)
