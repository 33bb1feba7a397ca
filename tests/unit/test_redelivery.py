"""relay.redelivery: the class of an error decides what becomes of a record."""

import pytest

from relay.errors import (
    ConfigurationError,
    DivergedError,
    HungError,
    LoopError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    StateError,
    TransientError,
)
from relay.redelivery import ATTEMPTS, NotOursError, seconds_until_retry


@pytest.mark.parametrize(
    ("error", "failures", "low", "high"),
    [
        (TransientError("m", "QUERY_LIMIT_EXCEEDED"), 900, 30, 39),
        (TransientError("m", "OPERATION_TIME_LIMIT", retry_after=600), 1, 600, 751),
        (TransientError("m", "NO_SLOT", retry_after=0), 1, 1, 1),
        (TransientError("m", "X", retry_after=10**6), 1, 43_200, 43_200),
        (StateError("x"), 900, 60, 76),
        (HungError("x"), 1, 30, 39),
        (OperatorError("m", "insufficient_scope"), 900, 900, 1126),
        (ConfigurationError("x"), 900, 900, 1126),
        (ZeroDivisionError(), 1, 30, 39),
        (ZeroDivisionError(), ATTEMPTS - 1, 240, 301),
    ],
)
def test_what_can_work_later_comes_back_when_it_makes_sense(error, failures, low, high):
    """Waiting is no failure however often; a bug in a reaction is tried again, later each time."""
    seen = [seconds_until_retry(error, failures) for _ in range(200)]
    assert low <= min(seen)
    assert max(seen) <= high


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        (PermanentError("m", "NOT_FOUND"), 1),
        (MayHaveRunError("m", "timeout"), 1),
        (NotOursError("x"), 1),
        (DivergedError("x"), 1),
        (LoopError("x"), 1),
        (TimeoutError(), ATTEMPTS),
        (ZeroDivisionError(), ATTEMPTS),
    ],
)
def test_what_can_never_work_does_not_come_back(error, failures):
    """The request that can't work, the one that may have run, the record of somebody else."""
    assert seconds_until_retry(error, failures) is None
