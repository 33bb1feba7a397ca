"""Text that looks like a reference stays text; a reference stays a reference."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.portal.references import put_in
from relay.errors import MayHaveRunError, PermanentError, TransientError
from relay.portal import Portal, Text
from relay.portal.fake import FakePortal
from relay.portal.http import TIMEOUT
from relay.portal.references import is_replaced

from .conftest import Reply
from .test_lists import Table, read

TEXTS = [
    "$result[c0]",
    "Welcome, $RESULT[c0][title]!",
    "only $total[x] left",
    "$next[c0]",
    "$Error[c0][error_description]",
    "$time[c0][start]",
    "a$result[c0]$b",
    "$result\u00a0[c0]",
    "$results\x1f.of[c0]",
    "$error_description[c0]",
    "line\n$result[c1][0]",
    "$argument[c0]",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: [{"a": [text]}]])
def test_text_arrives_as_it_is(wire, clock, webhook, text, wrap):
    """A text that a batch would change goes alone, and the others share their batch."""
    wire.answer = lambda _, params: {"title": "SECRET", **params}
    portal = Portal(webhook)
    secret = {"title": "SECRET"}

    async def ask():
        return await asyncio.gather(
            portal.call("crm.item.add", fields=secret),
            portal.call("crm.item.add", fields={"name": wrap(text)}),
            portal.call("crm.item.add", fields={"name": "an innocent"}),
        )

    _, hostile, innocent = clock.run(ask())
    assert hostile["fields"]["name"] == wrap(text)
    assert innocent["fields"]["name"] == "an innocent"
    assert sorted(method for method, _ in wire.requests) == ["batch", "crm.item.add"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_key_arrives_as_it_is(wire, clock, webhook, text):
    """A key with brackets is no key of a query; one without is no reference."""
    portal = Portal(webhook)

    async def ask():
        calls = [{text: 1}, {"$result": "$total", "US$": "costs $5, or $ [x]"}]
        await asyncio.gather(*(portal.call("crm.item.add", fields=fields) for fields in calls))

    clock.run(ask())
    fields = [params["fields"] for _, params in wire.commands]
    assert {text: 1} in fields
    assert {"$result": "$total", "US$": "costs $5, or $ [x]"} in fields


def test_ordinary_dollars_share_a_request(wire, clock, webhook):
    """Only a dollar sign with a bracket behind it, and no blank between, goes alone."""
    texts = ["costs $5", "$100 [net]", "[b]5 $[/b]"[:6], "$$$", "US$ 7 [x]", "100 %24result%5B0%5D"]
    portal = Portal(webhook)

    async def ask():
        await asyncio.gather(*(portal.call("crm.item.add", title=text) for text in texts))

    clock.run(ask())
    assert [method for method, _ in wire.requests] == ["batch"]
    assert [params["title"] for _, params in wire.commands] == texts


def test_a_filter_with_such_a_text_reads_the_whole_list(wire, clock, webhook):
    """The person's text is never replaced, and the list goes on page by page."""
    table, texts = Table(range(1, 171)), set()

    def answer(method, params):
        texts.add(params["filter"]["title"])
        return table(method, params)

    wire.answer = answer
    ids = read(clock, Portal(webhook), filter={"title": "$result[c0][items]"})
    assert ids == list(range(1, 171))
    assert texts == {"$result[c0][items]"}


def test_text_that_is_sent_again_is_still_alone(wire, clock, webhook):
    """A repeat meets other calls that wait, and does not join their batch."""
    portal = Portal(webhook)
    wire.script = [MayHaveRunError("x", TIMEOUT)]

    async def ask():
        hostile = asyncio.create_task(portal.call("crm.item.list", title="$result[c0]"))
        await asyncio.sleep(0.2)
        await asyncio.gather(hostile, *(portal.call("crm.item.list", id=n) for n in range(3)))

    clock.run(ask())
    assert {"title": "$result[c0]"} in [params for _, params in wire.commands]


PIECES = [
    "$",
    "result",
    "TOTAL",
    "[",
    "]",
    "c0",
    "a",
    " ",
    "\n",
    "\u00a0",
    "%24",
    "%5B",
    "5",
    "next",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_whatever_the_core_would_change_is_known(text):
    """No text that Bitrix' core changes passes for a harmless one."""
    results = {"c0": {"a": [1, "x"]}, "5": "y"}
    sections = {"result": results, "next": {}, "total": {"c0": 7}, "time": {}, "error": {}}
    try:
        same = put_in(text, sections) == text
    except TypeError:
        same = False
    assert same or is_replaced(text)


def test_megabytes_of_dollars_are_read_once():
    """A text of two megabytes takes no time that grows with its square."""
    assert not is_replaced({"a": ["$" * 2_000_000, "$a" * 1_000_000]})
    assert is_replaced("$" * 2_000_000 + "[")


def test_text_in_an_explicit_batch_arrives_as_it_is(wire, clock, webhook):
    """The commands become plain calls, their references the results of earlier ones."""
    wire.answer = lambda method, params: {"id": 17, "got": params, "from": method}
    commands = {
        "task": ("tasks.task.add", {"fields": {"TITLE": Text("$result[c0]")}}),
        "note": ("note.add", {"id": "$result[task][id]", "text": "$TOTAL[task]", "n": (1, 2)}),
    }
    results = clock.run(Portal(webhook).batch(commands))
    assert [method for method, _ in wire.requests] == ["tasks.task.add", "note.add"]
    assert results["task"]["got"] == {"fields": {"TITLE": "$result[c0]"}}
    assert results["note"]["got"] == {"id": 17, "text": "$TOTAL[task]", "n": [1, 2]}


def test_what_a_query_can_not_hold_leaves_a_batch_too(wire, clock, webhook):
    """Two megabytes, an empty map: the batch becomes plain calls, and says nothing."""
    wire.answer = lambda _, params: params
    commands = {"a": ("x.add", {"t": "Я" * 1_000_000}), "b": ("x.add", {"f": {}})}
    results = clock.run(Portal(webhook).batch(commands))
    assert results == {"a": {"t": "Я" * 1_000_000}, "b": {"f": {}}}
    assert [method for method, _ in wire.requests] == ["x.add", "x.add"]


def test_a_text_may_look_exactly_like_a_reference(wire, clock, webhook):
    """`Text` around what people have written makes it text, whatever it says."""
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
    """The portal would swallow what follows it; the error says what to do, nothing is sent."""
    commands = {"a": ("x.add", {}), "b": ("x.add", {"t": "Deal $result[a][id], thanks"})}
    with pytest.raises(ValueError, match=r"b: \$result\[a\]\[id\] stands in a longer text.*Text"):
        clock.run(portal(webhook if portal is Portal else {}).batch(commands))


HOSTILE = {
    "a": ("x.add", {"t": "$result[c0]"}),
    "b": ("x.bad", {}),
    "c": ("x.get", {"id": "$result[b][id]", "x": "$result[a][no][1]", "y": "$result[a][l][0][z]"}),
}


def failing(error):
    """Return an answer that fails for `x.bad`."""

    def answer(method, params):
        if method == "x.bad":
            raise error
        return {"got": params, "l": ["x", None], "z": None}

    return answer


def test_plain_calls_fail_like_the_commands_of_a_batch(wire, clock, webhook):
    """An error stands for its command; with `halt` the rest is not run."""
    wire.answer = failing(PermanentError("x.bad", "NO"))
    portal = Portal(webhook)
    results = clock.run(portal.batch(HOSTILE, return_errors=True))
    assert results["b"].code == "NO"
    assert results["c"]["got"]["y"] == "x"
    assert results["c"]["got"]["x"]["l"] == ["x", None]
    with pytest.raises(PermanentError, match="NO"):
        clock.run(portal.batch(HOSTILE))
    results = clock.run(portal.batch(HOSTILE, halt=True, return_errors=True))
    assert [results["b"].code, results["c"].code] == ["NO", "NOT_RUN"]


def test_plain_calls_end_where_the_portal_is_not_to_be_had(wire, clock, webhook):
    """What follows a refusal of the portal gets the same refusal."""
    portal = Portal(webhook, remaining_seconds=lambda: 0.6)
    wire.script = [None, Reply(503, b'{"error": "QUERY_LIMIT_EXCEEDED"}')]
    results = clock.run(portal.batch(HOSTILE, return_errors=True))
    assert [type(results["b"]), type(results["c"])] == [TransientError] * 2
    assert results["c"].code == "QUERY_LIMIT_EXCEEDED"
    assert results["c"].method == "x.get"
    assert len(wire.requests) == 2
