"""States of the past, held against what the portal itself had whenever the relay read it."""

import pytest

from relay.change import is_volatile
from relay.history import History
from relay.reaction.past import changes_before
from relay.tracking.row import Key
from tests.pasts import Ordeal, past_of
from tests.tracking_aws import changes
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

DEALS, EDITS, PAIRS = 20, 250, 200


@pytest.mark.parametrize("seed", [1, 2])
def test_a_state_of_the_past_is_what_the_portal_had_then(relay, seed):
    """After edits among faults, `asof` of any deal and instant is the state read last before."""
    ordeal = Ordeal(relay, DEALS, seed)
    ordeal.run(EDITS)
    past = past_of(relay)
    pairs = list(ordeal.pairs(PAIRS))
    assert len(pairs) > PAIRS / 2
    for number, moment, held in pairs:
        assert past.timeline(Key("main", "deal", number)).at(moment) == held, (number, moment)


def test_a_reaction_reads_the_changes_that_were_announced_before(relay):
    """`change.history()` has the earlier Changes as they were announced, the newest first."""
    Ordeal(relay, DEALS, 3).run(EDITS)
    announced = {one.change_id: one for one in changes(relay.topic.published)}
    by_item = {}
    for one in sorted(announced.values(), key=lambda one: one.version):
        earlier = by_item.setdefault(one.subject, [])
        found = list(changes_before(History(relay.dynamo, "History"), one, 5))
        assert [past.change_id for past in found] == [past.change_id for past in earlier[:-6:-1]]
        for past, then in zip(found, earlier[::-1], strict=False):
            assert (past.action, past.changed) == (then.action, then.changed)
            if not past.truncated and not then.truncated:
                assert plain(past.before) == plain(then.before)
                assert plain(past.after) == plain(then.after)
        earlier.append(one)
    assert sum(map(len, by_item.values())) > EDITS / 2


def plain(fields):
    """Return an item's fields without those that follow edits and those that are empty."""
    return {n: one for n, one in fields.items() if one is not None and not is_volatile(n)}
