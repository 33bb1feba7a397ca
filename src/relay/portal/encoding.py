"""Parameters -> the two forms in which a portal reads them: JSON, and a batch command's query.

A batch command is `method?query`, decoded by PHP (rest-protocol section 5): nesting as brackets,
booleans as 1 and 0, None as an empty text, an empty list as a list of one empty text. An empty map
has no such form; where it means nothing (a filter), it is left out.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from relay.errors import NotForBatchError

# PHP drops what is beyond max_input_vars, 1,000 unless the portal sets more.
MOST_VALUES = 1000
# PHP drops a value that is nested deeper (max_input_nesting_level), and a whole JSON body.
MOST_LEVELS = 64
MOST_JSON_LEVELS = 512
MOST_QUERY_BYTES = 1_000_000  # in one batch; web servers accept more
# Empty, these are as good as absent.
_OPTIONAL = frozenset({"filter", "order", "select"})
_EMPTY: tuple[Any, ...] = ({}, [], ())


def to_json(params: Any) -> bytes:
    """Return parameters as a JSON body; raises ValueError where they are nested too deeply."""
    if _is_deeper(params, MOST_JSON_LEVELS):
        raise ValueError(f"nested deeper than {MOST_JSON_LEVELS} levels: PHP reads none of it")
    text = json.dumps(params, ensure_ascii=False, separators=(",", ":"), default=_scalar)
    return text.encode("utf-8", "replace")  # a lone surrogate is no character


def to_query(params: Mapping[str, Any]) -> str:
    """Return parameters as PHP's parse_str reads them; raises NotForBatchError where it can't."""
    pairs = [
        pair
        for name, value in params.items()
        if value not in _EMPTY or name.lower() not in _OPTIONAL
        for pair in _flatten(_top(name), value)
    ]
    if len(pairs) > MOST_VALUES:
        raise NotForBatchError("more values than PHP reads from a query")
    query = "&".join(pairs)
    if len(query) > MOST_QUERY_BYTES:
        raise NotForBatchError("more than a batch holds")
    return query


def _is_deeper(value: Any, levels: int) -> bool:
    level = [value]
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


def _flatten(name: str, value: Any, levels: int = MOST_LEVELS) -> Iterator[str]:
    if not levels:
        raise NotForBatchError("deeper than PHP reads")
    if isinstance(value, Mapping):
        if not value:
            raise NotForBatchError("an empty map")
        for key, item in value.items():
            yield from _flatten(f"{name}[{_inner(key)}]", item, levels - 1)
    elif isinstance(value, list | tuple) and value:
        for at, item in enumerate(value):
            yield from _flatten(f"{name}[{at}]", item, levels - 1)
    elif isinstance(value, list | tuple):
        yield f"{name}[]="
    else:
        yield f"{name}={_quote(_text(value))}"


def _top(name: str) -> str:
    # parse_str turns these into underscores, and stops at NUL.
    if not name or any(character in name for character in ". []\0"):
        raise NotForBatchError("PHP changes this name")
    return _quote(name)


def _inner(key: Any) -> str:
    text = str(key)
    # `[ ]` is the same as `[]` to PHP.
    if not text or (len(text) == 1 and text.isspace()) or any(sign in text for sign in "[]\0"):
        raise NotForBatchError("PHP can't read this key")
    return _quote(text)


def _quote(text: str) -> str:
    if len(text) > MOST_QUERY_BYTES:
        raise NotForBatchError("more than a batch holds")
    return quote(text, safe="", errors="replace")


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case int() | float():
            return json.dumps(value)
        case _:
            return _scalar(value)


def _scalar(value: Any) -> str:
    """Return what JSON has no form for: times with their offset, exact numbers."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"a {type(value).__name__} can't be sent to a portal")
