"""The difference of two states of product rows."""

import random

import pytest

from relay.change import Change
from relay.product_rows import compare_rows, same_rows

TEA = {"id": 1, "productId": 7, "productName": "Tea", "price": 10, "quantity": 1, "sort": 10}
CUP = {"id": 2, "productName": "Cup", "price": 5, "quantity": 2, "sort": 20}


def change(old, new, **more):
    """Return a Change of product rows."""
    about = {
        "change_id": "main.deal.1.b.2", "portal": "main", "entity": "deal", "entity_type_id": 2,
        "id": "1", "action": "updated", "version": 2, "time": "2026-03-01T09:00:00Z",
        "changed": ("productRows",), "before": {"productRows": old},
        "after": {"productRows": new},
    }  # fmt: skip
    return Change(**about | more)


def test_a_row_is_added_changed_and_removed():
    """Rows that keep their ids are told apart by them, with the fields that differ."""
    dearer, new = TEA | {"price": 12, "quantity": 3}, CUP | {"id": 3, "productName": "Spoon"}
    found = change([TEA, CUP], [dearer, new]).row_changes
    assert found.added == [new]
    assert found.removed == [CUP]
    assert found.changed == [(TEA, dearer, ("price", "quantity"))]
    assert found


def test_rows_that_are_set_anew_are_paired_by_content_and_product():
    """New ids alone are no difference; of a row with a new price only the price is announced."""
    dearer = TEA | {"id": 11, "price": 12}
    found = compare_rows([TEA, CUP], [dearer, CUP | {"id": 12}])
    assert found == ([], [(TEA, dearer, ("price",))], [])
    assert same_rows([TEA], [TEA | {"id": 9}])
    assert not same_rows([TEA], [TEA | {"price": 9}])
    assert not compare_rows([TEA], [TEA | {"id": 9}])


def test_rows_of_one_product_are_told_apart():
    """Two rows of one product, one of which changes, are one changed row."""
    twin = TEA | {"id": 3, "quantity": 5}
    new = [TEA | {"id": 21}, twin | {"id": 22, "quantity": 6}]
    assert compare_rows([TEA, twin], new) == ([], [(twin, new[1], ("quantity",))], [])


def test_no_rows_are_an_empty_state():
    """The first row of an item is added, the last one removed."""
    assert compare_rows(None, [TEA]) == ([TEA], [], [])
    assert compare_rows([TEA], None) == ([], [], [TEA])


@pytest.mark.parametrize(
    ("more", "added", "removed"),
    [
        ({"action": "added", "before": {}}, [TEA], []),
        ({"action": "deleted", "before": {"productRows": [TEA]}, "after": {}}, [], [TEA]),
        ({"changed": ("title",), "before": {}}, [], []),
        ({"truncated": ("productRows",), "before": {}, "after": {}}, [], []),
    ],
)
def test_a_change_of_something_else_has_no_row_changes(more, added, removed):
    """All rows of a new item are added; what did not change, or did not fit, is left out."""
    found = change([TEA], [TEA], **more).row_changes
    assert (found.added, found.removed) == (added, removed)


def test_a_thousand_random_edits_are_told_row_by_row():
    """Rows before, with what is told of a random edit done to them, are the rows after."""
    dice, rows, number = random.Random(5), [], 0
    for _ in range(1000):
        old = rows
        rows = [dict(row) for row in rows]
        for _ in range(dice.randint(1, 3)):
            number += 1
            what = dice.random()
            if not rows or (what < 0.4 and len(rows) < 20):
                rows.append({"id": number, "productName": dice.choice("ABC"), "price": number})
            elif what < 0.6:
                rows.pop(dice.randrange(len(rows)))
            elif what < 0.9:
                dice.choice(rows)["price"] = number
            else:
                rows = [row | {"id": number + at} for at, row in enumerate(rows)]
                number += len(rows)
        found = compare_rows(old, rows)
        state = {row["id"]: row for row in old}
        for row in found.removed:
            assert state.pop(row["id"]) == row
        for one in found.changed:
            assert {n for n in one.after if one.after[n] != one.before.get(n)} - {"id"} == {
                *one.fields
            }
            state[one.before["id"]] = one.after
        announced = [
            {n: v for n, v in row.items() if n != "id"} for row in [*state.values(), *found.added]
        ]
        now = [{n: v for n, v in row.items() if n != "id"} for row in rows]
        assert sorted(announced, key=str) == sorted(now, key=str)
