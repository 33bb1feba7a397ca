"""relay.ingress: equal calls of a robot within ten seconds are one, others are not."""

import json

import pytest

from relay.event import ROBOT_WINDOW_SECONDS
from relay.ingress.robot_cache import MAX_RECENT, RobotCache
from tests.robots import DEAL_42, robot_request


@pytest.mark.parametrize(
    ("seconds", "same"),
    [
        (0, True),
        (4.9, True),
        (9.9, True),
        (10.1, False),
        (3600, False),
        (-9.9, True),
        (-10.1, False),
    ],
)
def test_an_equal_call_within_ten_seconds_has_the_same_id(portal, seconds, same):
    """However the seconds fall on the clock, a second click is the first; a later one is not."""
    for start in (1_766_047_120.0, 1_766_047_125.0, 1_766_047_129.5):
        ids = []
        portal.robots = RobotCache(portal.read_secrets, lambda: portal.now)
        for at in (start, start + seconds):
            request = robot_request("a=1&b=2")
            request["requestContext"]["timeEpoch"] = int(at * 1000)
            ids.append(portal.ask(request)[1]["id"])
        assert (ids[0] == ids[1]) is same
        times = [json.loads(message["Message"])["time"] for message in portal.published[-2:]]
        assert (times[0] == times[1]) is (same or not seconds)


def test_a_call_is_compared_with_the_first_of_equal_ones(portal):
    """Of calls 6 s apart the third is a new one, with its own time."""
    for at in (0, 6_000, 12_000):
        request = robot_request("a=1")
        request["requestContext"]["timeEpoch"] = 1_766_047_125_000 + at
        assert portal.ask(request)[0] == 200
    times = [json.loads(message["Message"])["time"][17:] for message in portal.published]
    assert times == ["45Z", "45Z", "57Z"]


def test_copies_that_do_not_know_of_each_other_give_one_id(portal):
    """Two copies of ingress give an equal call the same id within a window on the clock."""
    ids = set()
    for epoch in (1766047120000, 1766047129999):
        portal.robots = RobotCache(portal.read_secrets, lambda: portal.now)
        request = robot_request("a=1")
        request["requestContext"]["timeEpoch"] = epoch
        ids.add(portal.ask(request)[1]["id"])
    assert len(ids) == 1


@pytest.mark.parametrize(
    "other",
    [
        robot_request("a=2"),
        robot_request("a=1", name="another"),
        robot_request("a=1", body=DEAL_42.replace("DEAL_42", "DEAL_43")),
        robot_request("a=1", body=DEAL_42.replace("DEAL_42", "LEAD_42")),
        robot_request("a=1", portal="shop", secret="shopsecret"),
    ],
)
def test_another_call_has_another_id(portal, other):
    """A call that differs in parameters, name, document or portal is a call of its own."""
    assert portal.ask(robot_request("a=1"))[1]["id"] != portal.ask(other)[1]["id"]


def test_the_calls_that_are_remembered_are_few():
    """A process remembers at most MAX_RECENT calls."""
    cache = RobotCache(dict)
    for number in range(3 * MAX_RECENT):
        cache.call_id(str(number), 0.0)
    later = ROBOT_WINDOW_SECONDS + 1.0
    assert cache.call_id("7", later) == ("7.1", later)
    assert len(cache._recent) <= MAX_RECENT  # noqa: SLF001
