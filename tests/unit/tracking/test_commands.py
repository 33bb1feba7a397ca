"""The REST commands of tracking."""

import pytest

from relay.tracking.commands import item_of, items_of, list_command


@pytest.mark.parametrize(
    ("entity", "names"),
    [("deal", {">id", "@id", ">=updatedTime"}), ("task", {">ID", "ID", ">=CHANGED_DATE"})],
)
def test_a_list_is_narrowed_by_names_that_its_method_has(entity, names):
    """A filter of a name that the method does not have would be ignored, and list every item."""
    _, params = list_command(entity, after=1, since="2026-03-01T12:00:00+03:00", ids=[2])
    assert set(params["filter"]) == names


@pytest.mark.parametrize("result", [[], None, {}, {"item": None}, {"item": {}}, {"item": []}])
def test_an_empty_item_is_none(result):
    """An answer without fields, however it is spelled, is no item that lost all of them."""
    assert item_of("deal", result) is None


def test_an_activity_has_names_like_other_items():
    """The names in capitals, of a list and of a get, become those of a Change."""
    row = {"ID": "7", "OWNER_TYPE_ID": "2"}
    item = {"id": "7", "ownerTypeId": "2"}
    assert (items_of("activity", [row]), item_of("activity", row)) == ([item], item)
    assert item_of("activity", []) is None


@pytest.mark.parametrize(("kind", "name"), [("activity", "@ID"), ("task", "ID"), ("deal", "@id")])
def test_a_list_is_narrowed_by_ids_only_where_there_are_some(kind, name):
    """An empty set of ids would be no condition to the portal."""
    (_, narrow), (_, whole) = list_command(kind, ids=[5, 7]), list_command(kind)
    assert narrow["filter"][name] == [5, 7]
    assert name not in whole["filter"]
