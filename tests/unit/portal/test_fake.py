"""The portal for tests does what its user says, and remembers."""

import asyncio

import pytest

from relay.errors import MayHaveRunError, OperatorError, PermanentError, TransientError
from relay.portal.fake import FakePortal


def run(coroutine):
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)


def test_it_answers_from_a_mapping_and_records_the_calls():
    """A result is returned, a function computes it, an exception is raised."""
    portal = FakePortal({"a": [1], "b": lambda x: x + 1, "c": PermanentError("c", "NO")})
    assert run(portal.call("a")) == [1]
    assert run(portal.call("b", x=1)) == 2
    with pytest.raises(PermanentError):
        run(portal.call("c"))
    assert portal.calls == [("a", {}), ("b", {"x": 1}), ("c", {})]


def test_one_function_may_answer_all():
    """It gets the method and the parameters."""
    portal = FakePortal(lambda method, params: [method, params])
    assert run(portal.call("a", x=1)) == ["a", {"x": 1}]


def test_an_answer_that_nobody_gave_fails_the_test():
    """A call that the test did not expect is not answered by chance."""
    with pytest.raises(AssertionError, match=r"crm.deal.get was called"):
        run(FakePortal().call("crm.deal.get"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("TransientError", TransientError),
        ("MayHaveRunError", MayHaveRunError),
        ("OVERLOAD_LIMIT", OperatorError),
        ("NOT_FOUND", PermanentError),
        ("RelayError", PermanentError),
    ],
)
def test_any_error_of_the_tree_is_raised_by_its_name(name, kind):
    """By the class, or by the code with which the portal says it."""
    portal = FakePortal({"crm.deal.get": {"ID": "1"}})
    portal.fail("crm.deal.get", name)
    with pytest.raises(kind, match=name if kind is PermanentError else "made to fail"):
        run(portal.call("crm.deal.get", id=1))
