"""Parameters -> the two forms that a portal reads: a JSON body, and the query of a batch command.

A batch command is `method?query`, decoded by PHP (rest-protocol section 5): nesting as brackets,
booleans as 1 and 0, None as an empty text, an empty list as a list of one empty text. An empty map
has no such form: in `filter`, `order` and `select` it is left out, anywhere else no query is made.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from urllib.parse import quote

from relay.errors import NotForBatchError
from relay.portal.api import Params

MAX_VALUES = 1000  # PHP drops the values after it (max_input_vars, unless the portal sets more)
MAX_LEVELS = 64  # PHP drops a value of a query that is nested deeper (max_input_nesting_level)
MAX_JSON_LEVELS = 512  # PHP reads nothing of a JSON body that is nested deeper
MAX_QUERY_BYTES = 1_000_000  # in one batch; web servers accept more
_OPTIONAL = frozenset({"filter", "order", "select"})  # empty means the same as absent
_EMPTY: tuple[object, ...] = ({}, [], ())


def to_json(params: Params) -> bytes:
    """Return parameters as a JSON body; lone surrogates become `?`.

    Raises ValueError for NaN and infinity and for parameters that are nested too deeply (PHP would
    drop all of them), TypeError for values without a form in JSON.
    """
    if _is_deeper(params, MAX_JSON_LEVELS):
        raise ValueError(f"nested deeper than {MAX_JSON_LEVELS} levels: PHP reads none of it")
    text = json.dumps(
        params, ensure_ascii=False, separators=(",", ":"), default=_scalar, allow_nan=False
    )
    return text.encode("utf-8", "replace")


def to_query(params: Params) -> str:
    """Return parameters as the query from which PHP's parse_str reads them.

    Raises NotForBatchError if PHP would read anything else, other errors like `to_json`.
    """
    pairs = [
        pair
        for name, value in params.items()
        if value not in _EMPTY or name.lower() not in _OPTIONAL
        for pair in _flatten(_top_name(name), value)
    ]
    if len(pairs) > MAX_VALUES:
        raise NotForBatchError("more values than PHP reads from a query")
    query = "&".join(pairs)
    if len(query) > MAX_QUERY_BYTES:
        raise NotForBatchError("more than a batch holds")
    return query


def _is_deeper(value: object, levels: int) -> bool:
    level: list[object] = [value]
    while level and levels > 0:
        levels -= 1
        level = [
            item
            for node in level
            if isinstance(node, Mapping | list | tuple)
            for item in (node.values() if isinstance(node, Mapping) else node)
            if isinstance(item, Mapping | list | tuple)
        ]
    return bool(level)


def _flatten(name: str, value: object, levels: int = MAX_LEVELS) -> Iterator[str]:
    """Yield `name=value` for each scalar in a value, its keys in brackets: `a[b][0]=1`."""
    if not levels:
        raise NotForBatchError("deeper than PHP reads")
    if isinstance(value, Mapping):
        if not value:
            raise NotForBatchError("an empty map")
        for key, item in value.items():
            yield from _flatten(f"{name}[{_inner_key(key)}]", item, levels - 1)
    elif isinstance(value, list | tuple) and value:
        for at, item in enumerate(value):
            yield from _flatten(f"{name}[{at}]", item, levels - 1)
    elif isinstance(value, list | tuple):
        yield f"{name}[]="
    else:
        yield f"{name}={_quote(_text(value))}"


def _top_name(name: str) -> str:
    # parse_str replaces these characters by underscores, and stops at NUL.
    if not name or any(character in name for character in ". []\0"):
        raise NotForBatchError("PHP changes this name")
    return _quote(name)


def _inner_key(key: object) -> str:
    text = str(key)
    # PHP reads `[ ]` as `[]`.
    if not text or (len(text) == 1 and text.isspace()) or any(sign in text for sign in "[]\0"):
        raise NotForBatchError("PHP can't read this key")
    return _quote(text)


def _quote(text: str) -> str:
    if len(text) > MAX_QUERY_BYTES:
        raise NotForBatchError("more than a batch holds")
    return quote(text, safe="", errors="replace")


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case int() | float():
            return json.dumps(value, allow_nan=False)
        case _:
            return _scalar(value)


def _scalar(value: object) -> str:
    """Return the text of a date, a time with its offset, or a Decimal; raises TypeError."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"a {type(value).__name__} can't be sent to a portal")
