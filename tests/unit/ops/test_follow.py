"""ops.follow: each line of a log once, however CloudWatch orders and repeats them."""

import itertools
import json

import pytest

from ops.follow import LATE_MILLISECONDS, follow


class Logs:
    """A CloudWatch Logs with the lines of a list, of which it returns those since a time."""

    def __init__(self):
        self.lines = []

    def add(self, at, line, stream="a"):
        """Store a line; a dict becomes JSON."""
        message = json.dumps(line) if isinstance(line, dict) else line
        self.lines.append({"timestamp": at, "message": message, "logStreamName": stream})

    def get_paginator(self, _operation):
        """Return a paginator: this object."""
        return self

    def paginate(self, *, startTime, **_):  # noqa: N803  boto3's name
        """Return each line since a time on a page of its own."""
        return [{"events": [line]} for line in self.lines if line["timestamp"] >= startTime]


@pytest.fixture
def logs(times, sleeps):
    """Return an empty log, at the time 1,000,000 ms."""
    assert sleeps == []
    times.stand(1000.0)
    return Logs()


def new_lines(following):
    """Return the lines until the next pause."""
    return [line["message"] for line in itertools.takewhile(bool, following)]


def test_each_line_is_yielded_once_even_if_it_is_late(logs):
    """A line that is stored after newer ones is yielded, and none is yielded twice."""
    following = follow(logs, "group", 0)
    logs.add(1_000_000, {"message": "one"})
    assert new_lines(following) == ["one"]
    logs.add(1_009_000, {"message": "two"})
    logs.add(1_000_001, {"message": "late"})
    assert new_lines(following) == ["two", "late"]
    assert new_lines(following) == []
    logs.add(1_009_000 - LATE_MILLISECONDS, {"message": "as late as can be"})
    assert new_lines(following) == ["as late as can be"]


def test_equal_lines_of_two_functions_are_two_lines(logs):
    """Two streams may log the same text in the same millisecond."""
    logs.add(1_000_000, {"message": "one"}, "a")
    logs.add(1_000_000, {"message": "one"}, "b")
    assert new_lines(follow(logs, "group", 0)) == ["one", "one"]


def test_lines_of_the_platform_are_left_out(logs):
    """Starts, ends and metrics are no lines of the functions' code."""
    for line in ("START RequestId: 1", "INIT_START Runtime", "\n", {"_aws": {}}):
        logs.add(1_000_000, line)
    logs.add(1_000_000, {"message": "mine"})
    assert new_lines(follow(logs, "group", 0)) == ["mine"]


@pytest.mark.parametrize(
    "stream",
    [
        "2026/05/04/shop-CallAdaFunction-1Ab[$LATEST]9f",
        "2026/05/04/[shop-CallAdaFunction-1Ab[1]]9f",
    ],
)
def test_what_is_printed_has_the_reaction_s_name(logs, stream):
    """print() gives no JSON; its lines come out, equal ones too, with time and reaction."""
    for line in ("x = 1\n", "x = 1\n", '{"a": 1}', {"message": "m", "service": "CallAda"}):
        logs.add(1_000_000, line, stream)
    lines = list(itertools.takewhile(bool, follow(logs, "group", 0)))
    assert [line["message"] for line in lines] == ["x = 1", "x = 1", '{"a": 1}', "m"]
    assert {line["service"] for line in lines} == {"call_ada"}
    assert lines[0] == {
        "timestamp": "1970-01-01 00:16:40",
        "service": "call_ada",
        "message": "x = 1",
        "printed": True,
    }
