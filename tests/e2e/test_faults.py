"""Over 1,000 edits of deals while events, answers and functions are lost: all promises hold.

local/ordeal has the edits, the faults and the checks; `python -m bench.soak` is longer and harder.
"""

import pytest

from local.ordeal.plan import Plan
from local.ordeal.scenario import Scenario
from ops.deployed import Deployed
from ops.past import Past

PLAN = Plan(seed=7, edits=1300, seconds=30)


@pytest.fixture(scope="module")
def report(relay):
    """Return the report of an ordeal with the common stack, which is restored."""
    return Scenario(relay.aws, relay.portal, relay.stack, PLAN).run()


def test_no_change_is_lost_or_announced_twice_and_each_effect_happens_once(report):
    """Mirror and portal are equal, a deal's Changes form a chain, a won deal has one task."""
    assert not report.findings, "\n".join(report.findings[:20])


def test_every_announced_state_is_known_afterwards(relay, report):
    """The history leads from the mirror back to each state that was announced, without a gap."""
    deployed = Deployed("relay", relay.stack.outputs, {}, relay.stack.resources)
    past = Past(relay.aws.client("dynamodb"), deployed)
    states = 0
    for row in past.kind("main", "deal"):
        timeline = past.timeline(row.key)
        states += len(list(timeline.steps()))  # each state's checksum is that of its Change
        for one in timeline.rows:
            assert (timeline.at(one.at) is None) is (one.action == "deleted")
    assert states >= report.counts["announced"] / 2


def test_it_was_an_ordeal(report):
    """Enough was edited and won, and every kind of fault occurred."""
    counts = report.counts
    assert counts["edited"] + counts["added"] + counts["deleted"] >= 1000
    assert counts["announced"] >= 100  # a slow machine reads more edits of an item at once
    assert counts["won"] >= 10
    assert counts["undecided"] < counts["won"]
    assert counts["messages delivered again"] >= counts["won"]
    assert counts["announced once more"] >= 1
    assert counts["sweep beside the events"] >= 4
    assert counts["handed back by announce"] >= 1
    assert counts["huge values"] >= 1
    assert counts["leads converted"] >= 5
    assert sum(number for name, number in counts.items() if name.startswith("answers: ")) >= 20
