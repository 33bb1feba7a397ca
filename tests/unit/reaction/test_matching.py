"""relay.reaction.matching: the calls of a repeat get the recorded writes."""

import pytest

from relay.errors import DivergedError
from relay.portal.fake import FakePortal
from relay.reaction.checkpoint import Write
from relay.reaction.matching import equal, first
from tests.runs import COMMENT, calls


def test_a_call_with_other_parameters_gets_the_recorded_result_and_a_log_line(record):
    """A title with the time in it makes no second task: the record wins."""
    portal = FakePortal({COMMENT: 7})
    record.deliver(portal, calls(COMMENT, fields={"COMMENT": "at 9"}))
    assert record.deliver(portal, calls(COMMENT, fields={"COMMENT": "at 10"})) == 7
    assert len(portal.calls) == 1
    assert record.logged[0][0] == "replayed with other parameters"


def test_another_method_is_an_error_until_an_operator_sends_the_record_back(record):
    """Code that changed between two deliveries does not do half of each."""
    portal = FakePortal({COMMENT: 7, "im.notify.system.add": 1})
    record.deliver(portal, calls(COMMENT, fields={"COMMENT": "x"}))
    other = calls("im.notify.system.add", USER_ID=1, MESSAGE="x")
    with pytest.raises(DivergedError, match=r"where the first run called crm\.timeline"):
        record.deliver(portal, other)
    assert len(portal.calls) == 1
    assert record.deliver(portal, other, sent_back=True) == 1


def test_a_call_is_matched_by_its_parameters_first_then_in_order():
    """Where no parameters are equal the lowest number is taken, wherever it stands in the row."""
    second, lowest, other = Write("m", 1, "b", 0), Write("m", 0, "a", 0), Write("n", 0, "c", 0)
    writes = [second, lowest, other]
    assert equal(writes, "m", "b") is second
    assert equal(writes, "m", "c") is None
    assert first(writes, "m") is lowest
    assert first([second, other], "m") is second
    assert first([other], "m") is None
