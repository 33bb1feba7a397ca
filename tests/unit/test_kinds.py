"""The table of kinds of items."""

import pytest

from relay.kinds import KINDS, kind_of, name_of


@pytest.mark.parametrize("name", ["dynamic_128", "dynamic_1036"])
def test_each_smart_process_is_a_kind(name):
    """A smart process is mirrored by its number, without an entry in the table."""
    kind = kind_of(name)
    assert name_of(kind.entity_type_id) == kind.name == name
    assert kind.event == "ONCRMDYNAMICITEM"


@pytest.mark.parametrize(
    "name",
    ["", "dynamic_", "dynamic_2", "dynamic_127", "dynamic_x", "128", "comment", "dynamic_item"],
)
def test_what_no_item_method_serves_is_no_kind(name):
    """Requisites, comments and the numbers of other object types are not mirrored."""
    with pytest.raises(KeyError):
        kind_of(name)


def test_numbers_and_names_belong_together():
    """Each number leads to the name under which its items are mirrored; 5 was an invoice once."""
    numbers = {kind.entity_type_id: kind.name for kind in KINDS.values() if kind.entity_type_id}
    assert {number: name_of(number) for number in numbers} == numbers
    assert name_of(31) == "invoice"
    assert name_of(5) not in KINDS


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("lead", "/crm/lead/details/7/"),
        ("quote", "/crm/type/7/details/7/"),
        ("invoice", "/crm/type/31/details/7/"),
        ("dynamic_128", "/crm/type/128/details/7/"),
        ("task", "/company/personal/user/0/tasks/task/view/7/"),
    ],
)
def test_each_kind_has_a_page_for_an_item(name, path):
    """An item's page stands where the portal shows it."""
    assert kind_of(name).page.format(7) == path
