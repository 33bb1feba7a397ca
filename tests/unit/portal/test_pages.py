"""relay.portal.pages: the shapes in which items come."""

import pytest

from relay.portal.pages import items_of


@pytest.mark.parametrize(
    ("result", "items"),
    [
        ([1, 2], [1, 2]),
        ({"items": [1]}, [1]),
        ({"total": 5, "tasks": [1]}, [1]),
        ({"3": {"id": 3}, "7": {"id": 7}}, [{"id": 3}, {"id": 7}]),
        ({"items": {"3": {"id": 3}}}, [{"id": 3}]),
        ({}, []),
        ([], []),
    ],
)
def test_items_are_found_in_every_wrapping(result, items):
    """Items come as a list, in a member, or as a map of ids in place of a list."""
    assert items_of(result) == items


@pytest.mark.parametrize("result", [None, True, "x", {"a": 1}, {"a": 1, "b": 2}])
def test_a_result_that_is_no_list_raises(result):
    """A result without a list of items raises TypeError."""
    with pytest.raises(TypeError, match="not the result of a list"):
        items_of(result)
