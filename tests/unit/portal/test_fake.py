"""relay.portal.fake: FakePortal answers as prepared and records the calls."""

import asyncio

import pytest

from relay.errors import MayHaveRunError, OperatorError, PermanentError, TransientError
from relay.portal import Portal
from relay.portal.fake import FakePortal


def run(coroutine):
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)


def test_it_answers_from_a_mapping_and_records_the_calls():
    """A result is returned, a function called, an exception raised, and each call recorded."""
    portal = FakePortal({"a": [1], "b": lambda x: x + 1, "c": PermanentError("c", "NO")})
    assert run(portal.call("a")) == [1]
    assert run(portal.call("b", x=1)) == 2
    with pytest.raises(PermanentError):
        run(portal.call("c"))
    assert portal.calls == [("a", {}), ("b", {"x": 1}), ("c", {})]


def test_one_function_may_answer_all():
    """A function gets method and parameters of each call and returns the result."""
    portal = FakePortal(lambda method, params: [method, params])
    assert run(portal.call("a.get", x=1)) == ["a.get", {"x": 1}]


def test_a_method_without_an_answer_fails_the_test():
    """A call that the test did not prepare raises AssertionError with the method's name."""
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
    """`fail` takes the name of an error class, or a code that the portal sends."""
    portal = FakePortal({"crm.deal.get": {"ID": "1"}})
    portal.fail("crm.deal.get", name)
    with pytest.raises(kind, match=name if kind is PermanentError else "made to fail"):
        run(portal.call("crm.deal.get", id=1))


def test_a_list_iterates_over_the_items_of_its_answer():
    """Items come from a wrapped or a plain list, and the call is recorded once."""
    portal = FakePortal({"crm.item.list": {"items": [{"id": 1}, {"id": 2}]}, "user.get": []})

    async def read(method):
        return [item async for item in portal.list(method, filter={})]

    assert run(read("crm.item.list")) == [{"id": 1}, {"id": 2}]
    assert run(read("user.get")) == []
    assert portal.calls == [("crm.item.list", {"filter": {}}), ("user.get", {"filter": {}})]


def test_a_batch_resolves_its_references():
    """A path that leads nowhere gives the last value on its way, as on a portal."""
    portal = FakePortal({"add": {"ids": [7]}, "get": lambda **params: params})
    commands = {
        "a": ("add", {}),
        "b": ("get", {"id": "$result[a][ids][0]", "x": ["$result[a][ids][5]", "$result[z]", 1]}),
    }
    results = run(portal.batch(commands))
    assert results["b"] == {"id": 7, "x": [[7], "$result[z]", 1]}


def test_a_batch_fails_like_a_real_one():
    """A batch raises, or returns errors as results, and `halt` gives NOT_RUN."""
    portal = FakePortal({"good": 1})
    portal.fail("bad", "NOT_FOUND")
    commands = {"a": ("bad", {}), "b": ("good", {})}
    with pytest.raises(PermanentError, match="NOT_FOUND"):
        run(portal.batch(commands))
    assert run(portal.batch(commands, return_errors=True))["b"] == 1
    assert run(portal.batch(commands, halt=True, return_errors=True))["b"].code == "NOT_RUN"


def test_a_batch_runs_its_other_commands_after_an_error():
    """Without `halt` the commands after a failed one are made, like on a portal."""
    portal = FakePortal({"bad": PermanentError("bad", "NO"), "good": 1})
    with pytest.raises(PermanentError):
        run(portal.batch({"a": ("bad", {}), "b": ("good", {})}))
    assert [method for method, _ in portal.calls] == ["bad", "good"]


@pytest.mark.parametrize("count", [0, 51])
def test_a_batch_has_1_to_50_commands(count):
    """A batch that a Portal refuses raises the same ValueError, and no call is recorded."""
    portal = FakePortal({"profile": {}})
    with pytest.raises(ValueError, match=f"1 to 50 commands, not {count}"):
        run(portal.batch({f"c{number}": ("profile", {}) for number in range(count)}))
    assert portal.calls == []


def test_busy_and_settled_do_nothing():
    """Code that uses `busy` and `settled` runs with a FakePortal."""

    async def use():
        portal = FakePortal({"a": 1})
        with portal.busy():
            assert await portal.call("a") == 1
        await portal.settled()

    run(use())


def test_requests_counts_the_calls():
    """`requests` is the number of calls."""
    portal = FakePortal({"a": 1})
    run(portal.call("a"))
    run(portal.call("a"))
    assert portal.requests == 2


def test_it_has_the_public_methods_of_a_portal():
    """FakePortal has every public method and property of Portal."""
    public = {name for name in vars(Portal) if not name.startswith("_")}
    assert public <= set(vars(FakePortal))
