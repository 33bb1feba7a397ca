"""The shapes in which list methods give their items (rest-protocol section 6)."""

from collections.abc import Mapping
from typing import Any


def is_by_id(order: Any) -> bool:
    """Say whether an order is the one by id."""
    if not isinstance(order, Mapping):
        return False
    return [(str(k).lower(), str(v).lower()) for k, v in order.items()] == [("id", "asc")]


def id_of(item: Any) -> tuple[str, int]:
    """Return what an item calls its id, and the id."""
    name = "id" if "id" in item else "ID"
    return name, int(item[name])


def items_of(result: Any) -> list[Any]:
    """Return the items of a list's result, whatever they are wrapped in."""
    return unwrap(result)[1]


def unwrap(result: Any) -> tuple[str, list[Any]]:
    """Return the path to the items as `$result` takes it, and the items."""
    if isinstance(result, list):
        return "", result
    if isinstance(result, Mapping):
        for key, value in result.items():
            if isinstance(value, list):
                return f"[{key}]", value
        if all(str(key).isdecimal() for key in result):  # a PHP array with gaps
            return "", list(result.values())
        if len(result) == 1:
            ((key, value),) = result.items()
            if isinstance(value, Mapping):
                return f"[{key}]", list(value.values())
    raise TypeError("not the result of a list")
