"""Patterns of filters: `%` for any text and `_` for one character, as in a database."""

import re
from collections.abc import Callable
from typing import Any


def like(value: Any, *, wrapped: bool) -> Callable[[str], bool]:
    """`%` wraps by itself, `=%` expects `%` in the value; case doesn't count.

    Piece by piece from the left, as one pattern of many `.*` could be made to take for ever.
    """
    if isinstance(value, list | dict):
        raise TypeError("a pattern is a text")
    text = f"%{value}%" if wrapped else str(value)
    first, *rest = (
        re.compile(".".join(map(re.escape, part.split("_"))), re.IGNORECASE | re.DOTALL)
        for part in text.split("%")
    )

    def test(stored: str) -> bool:
        if not rest:
            return first.fullmatch(stored) is not None
        found = first.match(stored)
        for piece in rest[:-1]:
            if found is None:
                return False
            found = piece.search(stored, found.end())
        # what is last has a fixed length: `_` is one character
        tail = len(text.rpartition("%")[2])
        begin = len(stored) - tail
        return found is not None and begin >= found.end() and bool(rest[-1].match(stored, begin))

    return test
