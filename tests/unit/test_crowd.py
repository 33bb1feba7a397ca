"""relay.crowd: when a queue is crowded, and how long a batch is held back."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from relay import crowd


@pytest.mark.parametrize(
    ("waits", "in_flight", "expected"),
    [([800] * 10, 60_001, True), ([800] * 10, 60_000, False), ([800] * 9 + [15], 90_000, False)],
)
def test_a_queue_is_crowded_by_many_long_waits_and_sqs_s_number(
    aws_clients, monkeypatch, waits, in_flight, expected
):
    """A batch with a few records that wait costs no request."""
    attributes = {"ApproximateNumberOfMessagesNotVisible": str(in_flight)}
    sqs = SimpleNamespace(get_queue_attributes=lambda **_: {"Attributes": attributes})
    aws_clients["sqs"] = sqs
    monkeypatch.setenv("QUEUE_URL", "queue")
    assert crowd.is_crowded(waits) is expected


def test_a_number_that_sqs_does_not_tell_changes_nothing(aws_clients, monkeypatch):
    """The records are hidden as usual."""

    def fail(**_):
        raise EndpointConnectionError(endpoint_url="https://sqs")

    aws_clients["sqs"] = SimpleNamespace(get_queue_attributes=fail)
    monkeypatch.setenv("QUEUE_URL", "queue")
    assert crowd.is_crowded([800] * 100) is False


def test_a_pause_ends_with_the_function_s_time():
    """A copy gives five records back in a second, if it has the time."""
    assert crowd.pause_seconds([800] * 100, 50) == 20
    assert crowd.pause_seconds([800] * 1000, 150) == 150
    assert crowd.pause_seconds([800] * 10, 0) == 0
