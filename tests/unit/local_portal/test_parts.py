"""What hangs on an item: the records of its stages, and its product rows."""

import pytest

from local.portal import v3
from local.portal.admin_views import card
from local.portal.call import ELSEWHERE, METHODS
from local.portal.portal import Denial

TEA = {"productName": "Tea", "price": 10, "quantity": 2}


def steps(desk, number):
    """Return funnel, stage and type of each record of a deal's stages."""
    found = desk.call("crm.stagehistory.list", entityTypeId=2, filter={"@OWNER_ID": [number]})
    return [(one["CATEGORY_ID"], one["STAGE_ID"], one["TYPE_ID"]) for one in found["items"]]


def set_rows(desk, number, *rows):
    """Replace a deal's product rows."""
    return desk.call(
        "crm.item.productrow.set", ownerType="D", ownerId=number, productRows=list(rows)
    )["productRows"]


def test_each_record_has_the_type_of_its_move(desk):
    """[CORE] Made 1, on the way 2, final 3, another funnel 5; one that is made as won has no 1."""
    desk.portal.directories.add_category(2, "Repairs", number=9)
    add = {"entityTypeId": 2, "fields": {"title": "x"}}
    number = desk.call("crm.item.add", **add)["item"]["id"]
    for fields in ({"stageId": "PREPARATION"}, {"categoryId": 9}, {"stageId": "C9:WON"}):
        desk.call("crm.item.update", entityTypeId=2, id=number, fields=fields)
    assert steps(desk, number) == [
        (0, "NEW", 1),
        (0, "PREPARATION", 2),
        (9, "C9:NEW", 5),
        (9, "C9:WON", 3),
    ]
    won = desk.call("crm.item.add", entityTypeId=2, fields={"stageId": "WON"})["item"]["id"]
    assert steps(desk, won) == [(0, "WON", 3)]


def test_rows_of_several_owners_come_with_one_command(desk):
    """[CORE] `=ownerId` takes an array; whoever may not read item 1 gets none of their rows."""
    for number in (1, 2, 3):
        set_rows(desk, number, TEA)
    owners = {"=ownerType": "D", "=ownerId": [1, 3, 99]}
    rows = desk.call("crm.item.productrow.list", filter=owners)["productRows"]
    assert [row["ownerId"] for row in rows] == [1, 3]
    desk.portal.denials.add(Denial(1, 2))
    assert desk.refusal("crm.item.productrow.list", filter=owners).code == "ACCESS_DENIED"


def test_a_card_has_the_rows_in_their_order(desk):
    """The card has what a save of all rows keeps, and the owner's name of the kind."""
    set_rows(desk, 1, TEA | {"sort": 20}, TEA | {"productName": "Cup", "sort": 10})
    shown = card(desk.portal, {"subject": "deal/1"})["products"]
    assert shown["ownerType"] == "D"
    assert [row["productName"] for row in shown["rows"]] == ["Cup", "Tea"]
    assert card(desk.portal, {"subject": "contact/1"})["products"] is None


def test_rows_move_the_owner_and_its_amount(desk):
    """[CORE] Changed rows update the owner: its event, and its amount if that may follow."""
    fields = {"isManualOpportunity": "N"}
    desk.call("crm.item.update", entityTypeId=2, id=1, fields=fields)
    desk.events()
    set_rows(desk, 1, TEA)
    assert ("ONCRMDEALUPDATE", "deal/1") in desk.events()
    assert desk.portal.items[2].rows[1]["opportunity"] == 20


@pytest.mark.parametrize("kind", [2, 31])
def test_a_deleted_item_takes_its_rows_along(desk, kind):
    """Nothing of an item's rows and records is left when it is deleted."""
    number = desk.call("crm.item.add", entityTypeId=kind, fields={"title": "x"})["item"]["id"]
    owner = "D" if kind == 2 else "SI"
    desk.call("crm.item.productrow.set", ownerType=owner, ownerId=number, productRows=[TEA])
    desk.call("crm.item.delete", entityTypeId=kind, id=number)
    assert not list(desk.portal.tables["crm.item.productrow"].walk())


def test_what_is_simulated_is_not_elsewhere():
    """A refusal of a simulated method is no sign that it is not there."""
    assert ELSEWHERE.isdisjoint(METHODS)
    assert ELSEWHERE.isdisjoint(v3.METHODS)
