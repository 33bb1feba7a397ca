"""relay.groups: messages that fit into one request."""

import pytest

from relay.groups import groups


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([1] * 7, [[1] * 3, [1] * 3, [1]]),
        ([40, 60, 1], [[40, 60], [1]]),
        ([40, 61, 39], [[40], [61, 39]]),
        ([400, 1, 400], [[400], [1], [400]]),
    ],
)
def test_a_group_has_three_messages_and_100_bytes_at_most(sizes, expected):
    """The order is kept, no group is empty, and a message that is too large stands alone."""
    assert list(groups(sizes, int, 3, 100)) == expected


def test_messages_that_are_kept_apart_share_no_group():
    """A message that a group has already begins the next one."""
    found = groups("abbac", len, 3, 100, lambda one, group: one in group)
    assert ["".join(group) for group in found] == ["ab", "bac"]
