"""PHP's shapes: bracketed keys in, `[]` for an empty map out, `http_build_query` for events."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, cast
from urllib.parse import parse_qsl, quote_plus
from xml.sax.saxutils import escape

_MAX_VARIABLES = 10_000  # max_input_vars as Bitrix asks for it: what is beyond is dropped
_MAX_DEPTH = 64  # PHP's max_input_nesting_level: deeper keys are dropped
_BLANKS = {*" \t\n\r\v\f"}  # `[ ]` is `[]`
_LONGEST_NUMBER = 19  # of digits in 64 bits
_KEY = re.compile(r"^([^\[]+)((?:\[[^\]]*\])*)")
_BRACKET = re.compile(r"\[([^\]]*)\]")


class _Array(dict[str, Any]):
    """An array of PHP: `[]` takes the number after the highest one there is."""

    next = 0

    def put(self, key: str, value: Any) -> None:
        """Set an entry."""
        key = key or str(self.next)
        if key.isdigit() and len(key) < _LONGEST_NUMBER:
            self.next = max(self.next, int(key) + 1)
        self[key] = value

    def child(self, key: str) -> "_Array":
        """Find the array below a key, or make it."""
        key = key or str(self.next)
        if not isinstance(self.get(key), _Array):
            self.put(key, _Array())
        return cast("_Array", self[key])


def parse_query(text: str) -> dict[str, Any]:
    """Decode a query string or form body as PHP does."""
    return parse_pairs(parse_qsl(text, keep_blank_values=True, errors="replace"))


def parse_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Build nested values from bracketed names: `a[]=`, `a[0]=`, `a[k][l]=`; the last one wins."""
    root = _Array()
    for name, value in islice(pairs, _MAX_VARIABLES):
        match = _KEY.match(name)
        if match is None:
            continue
        keys = ("" if key in _BLANKS else key for key in _BRACKET.findall(match[2]))
        path = [match[1], *keys]
        if len(path) > _MAX_DEPTH:
            continue
        node = root
        for part in path[:-1]:
            node = node.child(part)
        node.put(path[-1], value)
    return {key: _lists(value) for key, value in root.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    children = {key: _lists(child) for key, child in value.items()}
    return php_array(children) if children else []


def php_array(entries: Mapping[str, Any]) -> Any:
    """Encode as json_encode does a PHP array: `[]` when empty, a list when keyed 0..n-1.

    [REC] Two failing commands keyed 0 and 1 gave a list as `result_error` beside a `result` object.
    """
    if all(key == str(index) for index, key in enumerate(entries)):
        return list(entries.values())
    return dict(entries)


def entries(value: Any) -> list[tuple[str, Any]]:
    """Keys and values of what PHP calls an array, whether it came as a list or as an object."""
    if isinstance(value, list):
        return [(str(index), entry) for index, entry in enumerate(value)]
    return list(value.items()) if isinstance(value, dict) else []


def values_of(given: Any) -> list[Any]:
    """The values of an array; anything else stands for itself."""
    return [v for _, v in entries(given)] if isinstance(given, list | dict) else [given]


def build_query(fields: Mapping[str, Any]) -> str:
    """Encode as `http_build_query`: brackets escaped, empty arrays dropped, null left out."""
    return "&".join(_flatten(fields, ""))


def _flatten(value: Any, name: str) -> Iterable[str]:
    if isinstance(value, dict | list):
        for key, child in entries(value):
            yield from _flatten(child, f"{name}[{key}]" if name else key)
    elif value is not None:
        text = {True: "1", False: "0"}.get(value, str(value)) if isinstance(value, bool) else value
        yield f"{_escape(name)}={_escape(str(text))}"


def _escape(text: str) -> str:
    return quote_plus(text).replace("~", "%7E")  # PHP's urlencode escapes the tilde too


def to_xml(value: Any) -> str:
    """The `.xml` answer: one element per key under `<response>`."""
    return f'<?xml version="1.0" encoding="UTF-8"?><response>{_elements(value)}</response>'


def _elements(value: Any) -> str:
    if isinstance(value, dict | list):
        named = ((key if not key.isdigit() else "item", child) for key, child in entries(value))
        return "".join(f"<{key}>{_elements(child)}</{key}>" for key, child in named)
    if value is None:
        return ""
    return escape({True: "1", False: ""}[value] if isinstance(value, bool) else str(value))


def int_or_none(text: Any) -> int | None:
    """A whole number, or nothing."""
    return int(text) if str(text).isdigit() and len(str(text)) < _LONGEST_NUMBER else None
