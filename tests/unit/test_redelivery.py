"""relay.redelivery: the class of an error decides what becomes of a record."""

import pytest

from relay.errors import (
    ConfigurationError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    TransientError,
)
from relay.redelivery import ATTEMPTS, NotOursError, seconds_until_retry


@pytest.mark.parametrize(
    ("error", "receives", "low", "high"),
    [
        (TransientError("m", "QUERY_LIMIT_EXCEEDED"), 900, 30, 39),
        (TransientError("m", "OPERATION_TIME_LIMIT", retry_after=600), 1, 600, 751),
        (TransientError("m", "NO_SLOT", retry_after=0), 1, 1, 1),
        (TransientError("m", "X", retry_after=10**6), 1, 43_200, 43_200),
        (TimeoutError(), 900, 30, 39),
        (OperatorError("m", "insufficient_scope"), 900, 900, 1126),
        (ConfigurationError("x"), 900, 900, 1126),
        (ZeroDivisionError(), 1, 30, 39),
        (ZeroDivisionError(), ATTEMPTS - 1, 240, 301),
    ],
)
def test_what_can_work_later_comes_back_when_it_makes_sense(error, receives, low, high):
    """Waiting is no failure however often; a bug in a reaction is tried again, later each time."""
    seen = [seconds_until_retry(error, receives) for _ in range(200)]
    assert low <= min(seen)
    assert max(seen) <= high


@pytest.mark.parametrize(
    ("error", "receives"),
    [
        (PermanentError("m", "NOT_FOUND"), 1),
        (MayHaveRunError("m", "timeout"), 1),
        (NotOursError("x"), 1),
        (ZeroDivisionError(), ATTEMPTS),
    ],
)
def test_what_can_never_work_does_not_come_back(error, receives):
    """The request that can't work, the one that may have run, the record of somebody else."""
    assert seconds_until_retry(error, receives) is None
