"""ops.swept: a misspelt portal is told from one in which nothing happened."""

import time

import pytest

from ops.happened import Happened
from relay.tracking.sweep_state import KindProgress, SweepDocument, SweepState
from tests.pasts import Tables, past_of
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]


def test_a_portal_that_never_was_is_no_empty_result(relay):
    """A portal that was swept may have no changes, also after it was disconnected."""
    state = SweepState(relay.dynamo, "State")
    state.acquire("main", "test", time.time(), 1)
    state.save("main", "test", SweepDocument({"deal": KindProgress("done")}))
    past = past_of(relay)
    past.dynamodb = Tables(relay)
    past.dynamodb.get_item = relay.dynamo.get_item
    Happened(past, "main", 0, time.time()).check("main")
    with pytest.raises(SystemExit, match="no portal 'mian' was ever swept in stack relay"):
        Happened(past, "mian", 0, time.time()).check("mian")
