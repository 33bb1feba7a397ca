"""How many commands parts are asked for in, and how many items each holds."""

import pytest

from relay.portal.batch import MAX_COMMANDS
from relay.tracking.part_chunks import LEAST_OWNERS, MOST_OWNERS, chunks_of
from relay.tracking.row import Key


def weights(count, rows=0, entity="deal"):
    """Return so many items, each with so many rows."""
    return {Key("main", entity, number): rows for number in range(1, count + 1)}


@pytest.mark.parametrize(
    ("items", "commands"),
    [(1, 1), (25, 1), (100, 2), (1000, 20), (2000, 40), (2500, 50), (2500, 0), (9000, 180)],
)
def test_items_without_rows_take_no_request_more_than_they_must(items, commands):
    """Two parts of them fill the requests that leave anyway, in commands of 25 to 200 items."""
    parts = {"steps": weights(items), "products": weights(items)}
    chunks = chunks_of(parts, commands)
    sizes = [len(chunk) for of_part in chunks.values() for chunk in of_part]
    assert sum(sizes) == 2 * items
    assert max(sizes) <= MOST_OWNERS
    least = 2 * -(-items // MOST_OWNERS)
    assert -(-(commands + len(sizes)) // MAX_COMMANDS) == -(-(commands + least) // MAX_COMMANDS)
    full = [chunk for of_part in chunks.values() for chunk in of_part[:-1]]
    assert all(len(chunk) >= LEAST_OWNERS for chunk in full)


def test_items_with_rows_fill_a_page_and_no_more():
    """Eight items with six rows each are a command; another kind and empty items have their own."""
    mixed = weights(17, 6) | weights(3, 6, "lead") | {Key("main", "deal", 99): 0}
    (products,) = chunks_of({"products": mixed}, 1).values()
    assert [(chunk[0].entity, len(chunk)) for chunk in products] == [
        ("deal", 8),
        ("deal", 8),
        ("deal", 1),
        ("lead", 3),
        ("deal", 1),
    ]
