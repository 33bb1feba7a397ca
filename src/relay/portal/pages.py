"""The shapes in which list methods return their items (rest-protocol section 6)."""

from collections.abc import Mapping

from relay.portal.api import Json, Result

PAGE_ITEMS = 50  # in a full page


def is_by_id(order: object) -> bool:
    """Return whether an `order` parameter is the one by id, ascending."""
    if not isinstance(order, Mapping):
        return False
    return [(str(k).lower(), str(v).lower()) for k, v in order.items()] == [("id", "asc")]


def id_of(item: Result) -> tuple[str, int]:
    """Return the name of an item's id field, and the id."""
    name = "id" if "id" in item else "ID"
    return name, int(item[name])


def items_of(result: Json) -> list[Result]:
    """Return the items in the result of a list method; raises TypeError if it is not a list."""
    return unwrap(result)[1]


def unwrap(result: Json) -> tuple[str, list[Result]]:
    """Return the path to the items in `$result` notation, and the items.

    Items come as a list, as {"items": list}, or with {"key": item} in place of a list. Raises
    TypeError for any other shape.
    """
    if isinstance(result, list):
        return "", list(result)
    if isinstance(result, dict):
        for key, value in result.items():
            if isinstance(value, list):
                return f"[{key}]", list(value)
        if all(key.isdecimal() for key in result):  # a PHP array with gaps
            return "", list(result.values())
        if len(result) == 1:
            ((key, value),) = result.items()
            if isinstance(value, dict):
                return f"[{key}]", list(value.values())
    raise TypeError("not the result of a list")
