"""relay.portal.references: text that looks like a reference stays text."""

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.portal.references import put_in
from relay.errors import MayHaveRunError
from relay.portal import Portal
from relay.portal.http import TIMEOUT
from relay.portal.references import is_replaced, resolve
from tests.portal_table import Table, read_list

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
def test_text_arrives_unchanged(wire, clock, webhook, text, wrap):
    """A text that a batch would change is sent alone; the other calls share their batch."""
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
def test_a_key_arrives_unchanged(wire, clock, webhook, text):
    """A key with brackets is sent alone, and a key without brackets is no reference."""
    portal = Portal(webhook)

    async def ask():
        calls = [{text: 1}, {"$result": "$total", "US$": "costs $5, or $ [x]"}]
        await asyncio.gather(*(portal.call("crm.item.add", fields=fields) for fields in calls))

    clock.run(ask())
    fields = [params["fields"] for _, params in wire.commands]
    assert {text: 1} in fields
    assert {"$result": "$total", "US$": "costs $5, or $ [x]"} in fields


def test_ordinary_dollars_share_a_request(wire, clock, webhook):
    """A dollar sign without a bracket before the next blank shares a batch."""
    texts = ["costs $5", "$100 [net]", "[b]5 $[/b]"[:6], "$$$", "US$ 7 [x]", "100 %24result%5B0%5D"]
    portal = Portal(webhook)

    async def ask():
        await asyncio.gather(*(portal.call("crm.item.add", title=text) for text in texts))

    clock.run(ask())
    assert [method for method, _ in wire.requests] == ["batch"]
    assert [params["title"] for _, params in wire.commands] == texts


def test_a_filter_that_looks_like_a_reference_reads_the_whole_list(wire, clock, webhook):
    """A list whose filter a batch would change is read page by page with the text unchanged."""
    table, texts = Table(range(1, 171)), set()

    def answer(method, params):
        texts.add(params["filter"]["title"])
        return table(method, params)

    wire.answer = answer
    ids = read_list(clock, Portal(webhook), filter={"title": "$result[c0][items]"})
    assert ids == list(range(1, 171))
    assert texts == {"$result[c0][items]"}


def test_a_retry_of_such_a_text_is_still_alone(wire, clock, webhook):
    """The retry of a call with such a text does not join the batch of calls that wait."""
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
def test_every_text_that_a_portal_would_change_is_recognised(text):
    """No text that the simulated core of Bitrix changes passes `is_replaced`."""
    results = {"c0": {"a": [1, "x"]}, "5": "y"}
    sections = {"result": results, "next": {}, "total": {"c0": 7}, "time": {}, "error": {}}
    try:
        same = put_in(text, sections) == text
    except TypeError:
        same = False
    assert same or is_replaced(text)


def test_megabytes_of_dollars_take_linear_time():
    """The search of megabytes of dollar signs ends; in quadratic time it would not."""
    assert not is_replaced({"a": ["$" * 2_000_000, "$a" * 1_000_000]})
    assert is_replaced("$" * 2_000_000 + "[")


RESULTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "text"]),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["id", "0", "-1"]), below)
    ),
    max_leaves=8,
)
STEPS = st.lists(st.sampled_from(["id", "0", "1", "-1", "01", "1_0", "²", "9" * 20]), max_size=4)


@given(RESULTS, STEPS)
@example(5, ["0"])
@example("text", ["0"])
@example([1, 2], ["-1"])
@example([1, 2], ["1_0"])
def test_a_reference_resolves_as_in_a_portal(result, steps):
    """`resolve` gives what the simulated core of Bitrix puts in, wherever a path leads."""
    reference = "$result[a]" + "".join(f"[{step}]" for step in steps)
    results = {"a": result}
    assert resolve(reference, results) == put_in(reference, {"result": results})
