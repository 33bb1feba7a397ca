"""relay.portal.batch: the sections of a batch's answer become the outcomes of its commands."""

import pytest

from relay.errors import MayHaveRunError, PermanentError, TransientError
from relay.portal.answers import Answer
from relay.portal.batch import NOT_RUN, error_of_call, outcomes_of, times_of

METHODS = {"0": "crm.item.add", "1": "crm.item.get"}
REFUSED = {"error": "NOT_FOUND", "error_description": "no such item"}


@pytest.mark.parametrize(
    ("results", "errors"),
    [
        ({"0": {"id": 5}}, {"1": REFUSED}),
        ([{"id": 5}], {"1": REFUSED}),
        ({"0": {"id": 5}, "1": None}, {"1": REFUSED}),
    ],
)
def test_an_outcome_is_a_result_or_an_error(results, errors):
    """Each command has its result, or the error of its method, whatever stands in both sections."""
    answer = Answer({"result": results, "result_error": errors})
    outcomes = outcomes_of(METHODS, answer)
    assert list(outcomes) == ["0", "1"]
    assert outcomes["0"] == {"id": 5}
    assert str(outcomes["1"]) == "crm.item.get: NOT_FOUND: no such item"


def test_sections_may_be_lists():
    """Sections that PHP wrote as lists, for the keys 0 and 1, are read by those keys."""
    answer = Answer({"result": ["a", None], "result_error": [], "result_time": [{}, {"finish": 1}]})
    assert outcomes_of(METHODS, answer) == {"0": "a", "1": None}
    assert times_of(METHODS, answer) == {"0": {}, "1": {"finish": 1}}


def test_a_list_has_no_values_for_other_keys():
    """A list has no values for commands whose keys are not 0, 1, …."""
    assert times_of({"c0": "a"}, Answer({"result_time": [{"finish": 1}]})) == {}


@pytest.mark.parametrize(("halt", "code"), [(True, NOT_RUN), (False, "UNREADABLE_ANSWER")])
def test_a_command_without_an_outcome_was_not_run_after_an_error_that_halts(halt, code):
    """A missing command did not run if `halt` ended the batch; in any other batch it may have."""
    answer = Answer({"result": [], "result_error": {"0": REFUSED}})
    outcome = outcomes_of(METHODS, answer, halt=halt)["1"]
    assert type(outcome) is (PermanentError if halt else MayHaveRunError)
    assert (outcome.method, outcome.code) == ("crm.item.get", code)


def test_a_command_missing_in_a_halting_batch_without_error_may_have_run():
    """`halt` explains a missing outcome only if a command failed."""
    outcome = outcomes_of(METHODS, Answer({"result": ["a"]}), halt=True)["1"]
    assert type(outcome) is MayHaveRunError


@pytest.mark.parametrize("result", [None, [], "text", {"result_error": []}])
def test_an_answer_that_is_not_of_a_batch_raises(result):
    """An answer without a `result` section says nothing about any command."""
    with pytest.raises(MayHaveRunError, match="not the answer of a batch"):
        outcomes_of(METHODS, Answer(result))
    assert times_of(METHODS, Answer(result)) == {}


def test_the_error_of_a_request_becomes_a_calls_own():
    """The copy has the call's method, the same class, code, time to retry, and masked texts."""
    error = TransientError("batch", "A_SECRET", "the SECRET is known", retry_after=7)
    copy = error_of_call(error, "crm.item.get", mask=lambda text: text.replace("SECRET", "***"))
    assert (type(copy), copy.method, copy.retry_after) == (TransientError, "crm.item.get", 7)
    assert str(copy) == "crm.item.get: A_***: the *** is known"
