"""Over 1,000 changes of deals while events, answers and functions are lost: DESIGN's promises.

What people do, what goes wrong and what must hold stand in local/ordeal; `python -m bench.soak`
goes on for longer, and spares nothing.
"""

import pytest

from local.ordeal.course import Course
from local.ordeal.plan import Plan

PLAN = Plan(seed=7, acts=1300, seconds=30)


@pytest.fixture(scope="module")
def report(relay):
    """Return what became of an ordeal of the common stack, which is then as it was."""
    return Course(relay.aws, relay.portal, relay.stack, PLAN).run()


def test_no_change_is_lost_none_told_twice_and_each_effect_happens_once(report):
    """The mirror is the portal, each deal's Changes are a chain, each won deal has one task."""
    assert not report.findings, "\n".join(report.findings[:20])


def test_it_was_an_ordeal(report):
    """Enough was changed and won, and everything that can go wrong did."""
    told = report.told
    assert told["edited"] + told["added"] + told["deleted"] >= 1000
    assert told["announced"] >= 300
    assert told["won"] >= 10
    assert told["undecided"] < told["won"]
    assert told["messages delivered again"] >= told["won"]
    assert told["announced once more"] >= 1
    assert told["sweep beside the events"] >= 4
    assert told["handed back by announce"] >= 1
    assert told["huge values"] >= 1
    assert told["leads converted"] >= 5
    assert sum(number for name, number in told.items() if name.startswith("answers: ")) >= 20
