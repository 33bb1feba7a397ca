"""The dashboard of the template, drawn with figures: each graph has what it shows."""

import json
import logging
import re

from bench.dashboard.figures import Figures, Metric
from bench.dashboard.picture import page
from relay.portal import shared_slots
from tests.snapshots import variant

NAMES = {"AWS::Region": "eu-central-1", "AWS::StackName": "relay", "Api": "api1", "Logs": "logs"}
OURS = "Relay/relay"
REFUSED = shared_slots.REFUSED
COUNTED = [
    ("ingress", "received"),
    ("ingress", "refused_malformed"),
    ("ingress", "refused_not_verified"),
    ("track", "tracked"),
    ("track", "requests"),
    ("announce", "announced"),
    ("announce", "MissedChanges"),
    ("FollowUp", "handled"),
    ("FollowUp", "failed"),
    ("relay", "oldest"),
    ("relay", "blocked"),
]


def body():
    """Return the dashboard as CloudWatch gets it."""
    text = variant("default")["Resources"]["Board"]["Properties"]["DashboardBody"]["Fn::Sub"]
    return json.loads(re.sub(r"\$\{([^}]+)\}", lambda hit: NAMES[hit[1]], text))


def refused_by(portal, found):
    """Take the warning that the client logs of a portal's 503, as Lambda writes it down."""
    line = logging.LogRecord("relay.portal", logging.WARNING, "", 0, REFUSED, (portal,), None)
    text = {"level": "WARNING", "message": line.getMessage(), "logger": "relay.portal"}
    found.log(1002.0, json.dumps(text))


def figures():
    """Return figures of an hour with changes, as the functions and AWS write them."""
    found = Figures()
    for service, name in COUNTED:
        counted = {"Namespace": OURS, "Dimensions": [["service"]], "Metrics": [{"Name": name}]}
        line = {"service": service, name: [3.0], "_aws": {"CloudWatchMetrics": [counted]}}
        found.log(1000.0, json.dumps(line))
    for lag in (2.0, 4.0):
        found.log(1001.0, json.dumps({"level": "INFO", "message": "handled", "lag": lag}))
    warning = {"level": "WARNING", "service": "track", "message": "comes back", "reason": "away"}
    found.log(1002.0, json.dumps(warning))
    refused_by("main", found)
    queue = (("QueueName", "relay-TrackQueue-1ABC"),)
    found.points[Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue)] = [(1000.0, 5.0)]
    for name in ("Errors", "ConcurrentExecutions"):
        function = (("FunctionName", "relay-TrackFunction-1ABC"),)
        found.points[Metric("AWS/Lambda", name, function)] = [(1000.0, 1.0)]
    return found


def test_every_graph_and_table_shows_what_is_counted():
    """A search that finds nothing, or a query of a field that no line has, is an empty graph."""
    board = body()
    for widget in board["widgets"]:
        drawn = page({"widgets": [widget]}, figures())
        assert "no data" not in drawn, widget["properties"]["title"]
    assert "no data" in page(board, Figures())


def test_a_search_finds_by_its_words_only():
    """Refusals by reason are ingress's, each by itself; a foreign stack's queues are left out."""
    found = figures()
    foreign = Metric(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", (("QueueName", "shop-Queue"),)
    )
    found.points[foreign] = [(1000.0, 1.0)]
    searches = {
        widget["properties"]["title"]: widget["properties"]["metrics"][0][0]["expression"]
        for widget in body()["widgets"]
        if isinstance(widget["properties"].get("metrics", [[""]])[0][0], dict)
    }
    refused = found.searched(searches["Refused, by reason"])
    assert [metric.name for metric in refused] == ["refused_malformed", "refused_not_verified"]
    waiting = found.searched(searches["Waiting and given up, messages"])
    assert [metric.dimensions[0][1] for metric in waiting] == ["relay-TrackQueue-1ABC"]
    handled = found.searched(searches["Reactions"])
    assert sorted(metric.name for metric in handled) == ["failed", "handled"]


def test_a_query_groups_and_counts_as_logs_insights():
    """The table of what comes back has a row for each service and message, with its last reason."""
    found = figures()
    retried = {"level": "WARNING", "service": "track", "message": "comes back", "reason": "busy"}
    found.log(1003.0, json.dumps(retried))
    query = body()["widgets"][-1]["properties"]["query"]
    assert [row for row in found.asked(query) if row["service"]] == [
        {"service": "track", "message": "comes back", "lines": 2, "last": "busy"}
    ]
