"""How many items may vanish without an event."""

import pytest
from botocore.exceptions import ClientError

from relay.errors import (
    StateError,
)
from relay.tracking import brake as brake_module
from relay.tracking import wiring
from tests.tracking_dynamo import refused


def test_the_brake_counts_over_all_functions(relay):
    """A function that meets another's count counts on from it; one that never wins waits."""
    held = wiring.brake()
    assert held.take("main", 5, 1000, 7200) == 5
    update, others = relay.dynamo.update_item, [7]

    def after_another(**ask):
        if others:
            relay.dynamo.state["brake#main"]["used"] = {"N": str(5 + others.pop())}
        return update(**ask)

    relay.dynamo.update_item = after_another
    assert held.take("main", 60, 1000, 7200) == 50 - 12
    assert held.tripped("main") == 7200
    assert held.take("main", 1, 1000, 7200) == 0
    relay.dynamo.state.clear()
    relay.dynamo.update_item = lambda **_: (_ for _ in ()).throw(refused())
    with pytest.raises(StateError):
        held.take("main", 5, 1000, 7200)
    broken = ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")
    relay.dynamo.update_item = lambda **_: (_ for _ in ()).throw(broken)
    with pytest.raises(ClientError):
        held.take("main", 5, 1000, 7200)
    assert brake_module.LEAST == 20
