"""States of the past, held against what the portal itself had whenever the relay read it."""

import pytest

from relay.tracking.row import Key
from tests.pasts import Ordeal, past_of
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
