"""relay.portal.shared_slots: after a 503 of the portal, and while DynamoDB fails."""

from itertools import pairwise

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from relay.portal import Portal, Webhook, webhook_state
from relay.portal.webhook_state import WebhookState
from tests.portal_slots import copies, take_and_wait
from tests.portal_wire import RATE, SECRET, Inline, Wire


def test_a_refusal_pushes_the_next_slots_back_once(table, clock, caplog):
    """Refusals within 3 s move the next slots by 3 s once, and each is counted and logged."""
    first, second = copies(table, 2)
    take_and_wait(first, clock)
    clock.now += 1000
    for slots in (first, second, first):
        slots.refused()
    assert first.take(clock.now + 1000) - clock.now == pytest.approx(3, abs=0.1)
    for _ in range(10):
        first.take(clock.now + 1000)
    clock.now += 4
    before = int(table.row()["empty_at"]["N"])
    first.refused()
    second.refused()
    assert int(table.row()["empty_at"]["N"]) - before == 3000
    assert table.row()["refused"]["N"] == "5"
    assert "portal main refused a request" in caplog.text


def test_a_refusal_before_any_slot_counts_the_bucket_as_full(table, clock):
    """A refusal without a row makes the next slot come 3 s later, as a missing row does."""
    (slots,) = copies(table, 1)
    slots.refused()
    assert slots.take(clock.now + 1000) - clock.now == pytest.approx(3, abs=0.1)
    clock.now += 1
    assert table.writes == 4


THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "UpdateItem")
DOWN = EndpointConnectionError(endpoint_url="https://dynamodb.invalid")


@pytest.mark.parametrize("error", [THROTTLED, DOWN])
def test_without_dynamodb_each_copy_takes_a_tenth_of_the_rate(table, clock, caplog, error):
    """Slots come every 5 s from a random start, with one warning, and the table is tried later."""
    (slots,) = copies(table, 1)
    table.error = error
    times = [take_and_wait(slots, clock) for _ in range(5)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == pytest.approx([5] * 4)
    assert times[0] - 1_000_000 <= 5
    assert table.writes == 1
    assert caplog.text.count("DynamoDB gives no slots") == 1
    clock.now += 10
    slots.take(clock.now + 100)
    assert table.writes == 2
    table.error = None
    slots.refused()
    clock.now += 31
    slots.take(clock.now + 1000)
    assert "DynamoDB gives slots for portal main again" in caplog.text


def test_copies_that_lose_dynamodb_together_do_not_send_together(table, clock):
    """The first slots of ten copies are at different times within 5 s."""
    table.error = DOWN
    first = {round(slots.take(clock.now + 100) - clock.now, 3) for slots in copies(table, 10)}
    assert len(first) > 5
    assert max(first) <= 5


def test_a_refusal_without_dynamodb_uses_own_slots(table, clock, caplog):
    """A refusal that can't be stored is logged, and the copy takes slots of its own."""
    (slots,) = copies(table, 1)
    table.error = DOWN
    slots.refused()
    assert "DynamoDB gives no slots" in caplog.text
    assert slots.take(clock.now + 10) >= clock.now


def test_a_request_refused_by_the_portal_takes_a_later_slot(table, clock):
    """A 503 is counted in the row, and the retry comes more than 2 s later."""
    webhook, wire = Webhook("acme.bitrix24.com", 7, SECRET), Wire(clock)
    webhook_state.states[webhook] = WebhookState(webhook, wire, Inline())
    (slots,) = copies(table, 1)
    wire.script = [RATE]
    try:
        assert clock.run(Portal(webhook, slots=slots).call("profile")) is True
    finally:
        webhook_state.forget()
    assert table.row()["refused"]["N"] == "1"
    assert wire.asked_at[1] - wire.asked_at[0] > 2
