"""relay.portal.client: explicit batches, in one request or as plain calls."""

import asyncio

import pytest

from relay.errors import PermanentError, TransientError
from relay.portal import Portal, Text
from relay.portal.fake import FakePortal
from relay.portal.http import Reply
from tests.portal_wire import SlowSlots, reply


def test_a_portal_outlives_its_event_loops(wire, clock, webhook):
    """A call that died with its event loop is not sent by the next loop."""
    portal = Portal(webhook, slots=SlowSlots(clock))

    async def give_up():
        asyncio.create_task(portal.call("profile"))  # noqa: RUF006  dies with the loop
        await asyncio.sleep(0.1)

    clock.run(give_up())
    assert clock.run(portal.call("scope")) is True
    assert [method for method, _ in wire.requests] == ["scope"]


def test_a_batch_runs_in_order_and_refers_to_earlier_results(wire, clock, webhook):
    """A batch returns results by name in the order of its commands, references replaced."""
    wire.answer = lambda method, params: {"id": 17, "got": params.get("id"), "from": method}
    commands = {"b": ("crm.deal.add", {}), "a": ("crm.deal.get", {"id": "$result[b][id]"})}
    results = clock.run(Portal(webhook).batch(commands))
    assert list(results) == ["b", "a"]
    assert results["a"] == {"id": 17, "got": 17, "from": "crm.deal.get"}
    assert wire.requests[0][1]["halt"] == 0


def test_a_batch_shares_its_request_with_no_other_call(wire, clock, webhook):
    """A batch and two calls made with it leave in two requests, the batch under its own keys."""
    portal = Portal(webhook)

    async def together():
        await asyncio.gather(portal.call("a"), portal.batch({"mine": ("b", {})}), portal.call("c"))

    clock.run(together())
    assert sorted(list(body["cmd"]) for _, body in wire.requests) == [["c0", "c1"], ["mine"]]


def fails_with(error):
    """Return an answer that raises an error for `x.bad`."""

    def answer(method, params):
        if method == "x.bad":
            raise error
        return {"got": params, "l": ["x", None], "z": None}

    return answer


def commands_with_an_error(wire):
    """Let the method `bad` fail; return three commands, the second of which fails."""

    def answer(method, _):
        if method == "bad":
            raise PermanentError(method, "NO")
        return method

    wire.answer = answer
    return {"a": ("good", {}), "b": ("bad", {}), "c": ("good", {})}


def test_a_halting_batch_stops_at_the_first_error(wire, clock, webhook):
    """With `halt` the commands after an error get NOT_RUN."""
    results = clock.run(
        Portal(webhook).batch(commands_with_an_error(wire), halt=True, return_errors=True)
    )
    assert [results["a"], results["b"].code, results["c"].code] == ["good", "NO", "NOT_RUN"]
    assert wire.requests[0][1]["halt"] == 1


def test_a_batch_raises_its_first_error(wire, clock, webhook):
    """Without `return_errors` a batch raises its first error."""
    with pytest.raises(PermanentError, match="bad: NO"):
        clock.run(Portal(webhook).batch(commands_with_an_error(wire)))


def test_a_batch_is_retried_only_if_nothing_of_it_ran(wire, clock, webhook):
    """A batch that the rate refused is sent again; a create whose answer was lost is not."""
    commands = {"a": ("crm.deal.add", {}), "b": ("crm.deal.get", {"id": "$result[a]"})}
    wire.script = [reply(503, error="QUERY_LIMIT_EXCEEDED"), None, reply(500, error="")]
    portal = Portal(webhook)
    clock.run(portal.batch(commands))
    assert len(wire.requests) == 2
    results = clock.run(portal.batch(commands, return_errors=True))
    assert [(type(e).__name__, e.method) for e in results.values()] == [
        ("MayHaveRunError", "crm.deal.add"),
        ("MayHaveRunError", "crm.deal.get"),
    ]
    assert len(wire.requests) == 3


@pytest.mark.parametrize("count", [0, 51])
def test_a_batch_has_1_to_50_commands(clock, webhook, count):
    """A batch without commands or with more than 50 raises ValueError and sends nothing."""
    commands = {f"c{number}": ("profile", {}) for number in range(count)}
    with pytest.raises(ValueError, match=f"1 to 50 commands, not {count}"):
        clock.run(Portal(webhook).batch(commands))


def test_text_in_a_batch_arrives_unchanged(wire, clock, webhook):
    """A batch with such a text becomes plain calls, references replaced by earlier results."""
    wire.answer = lambda method, params: {"id": 17, "got": params, "from": method}
    commands = {
        "task": ("tasks.task.add", {"fields": {"TITLE": Text("$result[c0]")}}),
        "note": ("note.add", {"id": "$result[task][id]", "text": "$TOTAL[task]", "n": (1, 2)}),
    }
    results = clock.run(Portal(webhook).batch(commands))
    assert [method for method, _ in wire.requests] == ["tasks.task.add", "note.add"]
    assert results["task"]["got"] == {"fields": {"TITLE": "$result[c0]"}}
    assert results["note"]["got"] == {"id": 17, "text": "$TOTAL[task]", "n": [1, 2]}


def test_parameters_that_a_query_cannot_hold_leave_a_batch(wire, clock, webhook):
    """A batch with two megabytes of text or an empty map becomes plain calls."""
    wire.answer = lambda _, params: params
    commands = {"a": ("x.add", {"t": "Я" * 1_000_000}), "b": ("x.add", {"f": {}})}
    results = clock.run(Portal(webhook).batch(commands))
    assert results == {"a": {"t": "Я" * 1_000_000}, "b": {"f": {}}}
    assert [method for method, _ in wire.requests] == ["x.add", "x.add"]


def test_a_text_may_look_exactly_like_a_reference(wire, clock, webhook):
    """`Text` is sent unchanged even if it is exactly a reference to an earlier command."""
    wire.answer = lambda _, params: params
    commands = {"a": ("x.add", {"t": "b"}), "b": ("x.get", {"t": Text("$result[a][t]")})}
    assert clock.run(Portal(webhook).batch(commands))["b"] == {"t": "$result[a][t]"}
    assert asyncio.run(FakePortal(wire.answer).batch(commands))["b"] == {"t": "$result[a][t]"}


def test_text_without_brackets_costs_no_request(wire, clock, webhook):
    """A batch whose texts no portal would change stays one request."""
    commands = {"a": ("x.add", {"t": Text("costs $5")}), "b": ("x.get", {"id": "$result[a]"})}
    wire.answer = lambda _, params: params.get("id", 5)
    assert clock.run(Portal(webhook).batch(commands)) == {"a": 5, "b": 5}
    assert [method for method, _ in wire.requests] == ["batch"]


@pytest.mark.parametrize("portal", [Portal, FakePortal])
def test_a_reference_within_a_text_is_refused(clock, webhook, portal):
    """A reference inside a longer text raises ValueError with the remedy, and sends nothing."""
    commands = {"a": ("x.add", {}), "b": ("x.add", {"t": "Deal $result[a][id], thanks"})}
    with pytest.raises(ValueError, match=r"b: \$result\[a\]\[id\] stands in a longer text.*Text"):
        clock.run(portal(webhook if portal is Portal else {}).batch(commands))


HOSTILE = {
    "a": ("x.add", {"t": "$result[c0]"}),
    "b": ("x.bad", {}),
    "c": ("x.get", {"id": "$result[b][id]", "x": "$result[a][no][1]", "y": "$result[a][l][0][z]"}),
}


def test_plain_calls_fail_like_the_commands_of_a_batch(wire, clock, webhook):
    """An error stands for its command, and with `halt` the rest is NOT_RUN."""
    wire.answer = fails_with(PermanentError("x.bad", "NO"))
    portal = Portal(webhook)
    results = clock.run(portal.batch(HOSTILE, return_errors=True))
    assert results["b"].code == "NO"
    assert results["c"]["got"]["y"] == "x"
    assert results["c"]["got"]["x"]["l"] == ["x", None]
    with pytest.raises(PermanentError, match="NO"):
        clock.run(portal.batch(HOSTILE))
    results = clock.run(portal.batch(HOSTILE, halt=True, return_errors=True))
    assert [results["b"].code, results["c"].code] == ["NO", "NOT_RUN"]


def test_plain_calls_end_when_the_portal_refuses(wire, clock, webhook):
    """After a TransientError the commands that follow get the same error without a request."""
    portal = Portal(webhook, remaining_seconds=lambda: 0.6)
    wire.script = [None, Reply(503, b'{"error": "QUERY_LIMIT_EXCEEDED"}')]
    results = clock.run(portal.batch(HOSTILE, return_errors=True))
    assert [type(results["b"]), type(results["c"])] == [TransientError] * 2
    assert results["c"].code == "QUERY_LIMIT_EXCEEDED"
    assert results["c"].method == "x.get"
    assert len(wire.requests) == 2
