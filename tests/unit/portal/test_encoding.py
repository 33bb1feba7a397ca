"""relay.portal.encoding: PHP reads from a query what was meant, checked with two decoders."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import qs_codec
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import NotForBatchError
from relay.portal.encoding import (
    MAX_JSON_LEVELS,
    MAX_LEVELS,
    MAX_QUERY_BYTES,
    MAX_VALUES,
    to_json,
    to_query,
)
from tests.portal_wire import parse_str

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def as_php(value):
    """Return what PHP has after reading a value: texts, and arrays with keys."""
    match value:
        case dict():
            return {str(key): as_php(item) for key, item in value.items()}
        case [] | ():
            return {"0": ""}
        case list() | tuple():
            return {str(at): as_php(item) for at, item in enumerate(value)}
        case bool():
            return "1" if value else "0"
        case None:
            return ""
        case _:
            return str(value)


KEYS = TEXTS.filter(
    lambda text: text and not set(text) & set("[]\0") and not (len(text) == 1 and text.isspace())
)


TOPS = KEYS.filter(
    lambda text: not set(text) & set(". ") and text.lower() not in {"filter", "order", "select"}
)


SCALARS = st.none() | st.booleans() | st.integers() | TEXTS


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, min_size=1, max_size=4)
    ),
    max_leaves=15,
)


@given(st.dictionaries(TOPS, VALUES, max_size=5))
def test_php_reads_the_same_values(params):
    """PHP's decoder reads any nesting and any text back from a query."""
    assert parse_str(to_query(params)) == as_php(params)


@pytest.mark.parametrize(
    ("value", "query"),
    [
        (
            {"fields": {"TITLE": "A & B + C = 100 %"}},
            "fields[TITLE]=A%20%26%20B%20%2B%20C%20%3D%20100%20%25",
        ),
        (
            {"filter": {">=ID": 5, "@id": [1, 2]}},
            "filter[%3E%3DID]=5&filter[%40id][0]=1&filter[%40id][1]=2",
        ),
        ({"fields": {"UF_CRM_1": []}}, "fields[UF_CRM_1][]="),
        ({"filter": {}, "SELECT": [], "order": (), "x": 1}, "x=1"),
        ({"a": True, "b": False, "c": None, "d": 0, "e": 1.5}, "a=1&b=0&c=&d=0&e=1.5"),
        ({"имя": "Я[1]"}, "%D0%B8%D0%BC%D1%8F=%D0%AF%5B1%5D"),
        ({"t": datetime(2026, 5, 14, 10, tzinfo=UTC)}, "t=2026-05-14T10%3A00%3A00%2B00%3A00"),
        ({"t": date(2026, 5, 14), "m": Decimal("1.10")}, "t=2026-05-14&m=1.10"),
        ({"x": "a\ud800b"}, "x=a%3Fb"),
        ({}, ""),
    ],
)
def test_each_kind_of_value_has_its_form(value, query):
    """Keys and values are percent-encoded, brackets are not."""
    assert to_query(value) == query


def test_a_second_decoder_agrees():
    """A library for PHP's brackets reads the same values."""
    params = {"fields": {"PHONE": [{"VALUE": "+7 (999)", "TYPE": "WORK"}]}, "select": ["*", "UF_*"]}
    assert qs_codec.decode(to_query(params)) == params


def nested(levels, wrap=lambda value: {"a": value}):
    """Return parameters with so many levels below the first."""
    value = 1
    for _ in range(levels):
        value = wrap(value)
    return {"a": value}


@pytest.mark.parametrize(
    "params",
    [
        {"a.b": 1},
        {"a b": 1},
        {"a[b": 1},
        {"": 1},
        {"a": {"b]": 1}},
        {"a": {"": 1}},
        {"fields": {}},
        {"a": [{"b": {}}]},
        {"a": list(range(MAX_VALUES + 1))},
        {"a": {" ": 1}},
        {"a": {"\n": [1]}},
        nested(MAX_LEVELS),
        {"a": "x" * (MAX_QUERY_BYTES + 1)},
        {"a": "x" * MAX_QUERY_BYTES},
    ],
)
def test_parameters_that_php_would_change_are_refused(params):
    """Names with dots or brackets, empty maps, too many or too deep values go as JSON only."""
    with pytest.raises(NotForBatchError):
        to_query(params)
    assert to_json(params)


@pytest.mark.parametrize("wrap", [lambda value: {"a": value}, lambda value: [value]])
def test_values_nested_too_deeply_raise(wrap):
    """A query holds 64 levels; JSON of more than 512 levels raises ValueError."""
    assert to_query(nested(MAX_LEVELS - 1)).count("[") == MAX_LEVELS - 1
    assert to_json(nested(MAX_JSON_LEVELS - 1, wrap))
    with pytest.raises(ValueError, match="deeper than 512 levels"):
        to_json(nested(MAX_JSON_LEVELS, wrap))


def test_json_keeps_cyrillic_short_and_times_with_their_offset():
    """Cyrillic is not escaped, a time has its offset, a lone surrogate becomes `?`."""
    moment = datetime(2026, 5, 14, 10, tzinfo=UTC)
    text = '{"a":"Я?","t":"2026-05-14T10:00:00+00:00","m":"1.10"}'
    params = {"a": "Я\ud800", "t": moment, "m": Decimal("1.10")}
    assert to_json(params).decode() == text


def test_a_value_without_a_form_raises():
    """A set raises TypeError that names its type."""
    for write in (to_json, to_query):
        with pytest.raises(TypeError, match="a set can't be sent"):
            write({"a": {1}})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_has_not_raises(value):
    """NaN and infinity raise ValueError: PHP would read nothing of a body with them."""
    for write in (to_json, to_query):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write({"a": value})
