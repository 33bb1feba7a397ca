"""The rows of a part in their canonical form."""

import pytest

from relay.tracking.part_projection import project_rows


@pytest.mark.parametrize(
    ("answered", "stored"),
    [("12.50", 12.5), ("12.00", 12), ("12", 12), (12.0, 12), ("1e", "1e"), ("1.2.3", "1.2.3")],
)
def test_a_number_of_a_product_row_has_one_spelling(answered, stored):
    """A number that the portal answers as text is the number; what is none stays as it is."""
    assert project_rows([{"id": 1, "price": answered}]) == [{"id": 1, "price": stored}]


def test_a_name_that_looks_like_a_number_stays_a_name():
    """A product called 007 is not number 7."""
    assert project_rows([{"id": 1, "productName": "007"}]) == [{"id": 1, "productName": "007"}]
