"""Requisites and contacts, which are read only if they are asked for."""

from math import inf

import pytest

from relay.tracking.part_rows import weigh
from relay.tracking.parts import CONTACTS, PRODUCTS, REQUISITES
from relay.tracking.row import Key, RowHead
from tests.parts_portal import at
from tests.tracking_aws import OLD, changes, event_message

CONTACT = {"CONTACT_ID": "7", "SORT": "10", "ROLE_ID": 0, "IS_PRIMARY": "Y"}


@pytest.fixture
def asked(whole, monkeypatch):
    """Return the handlers with a deal and a company, whose requisites and contacts are read."""
    monkeypatch.setenv("PARTS", "company.requisites,deal.contacts")
    for kind in (2, 4):
        whole.portal.put(kind, 1, title="a", updatedTime=OLD)
    whole.portal.requisites.append(requisite(5))
    whole.portal.contacts["deal", 1] = [CONTACT]
    whole.baseline()
    return whole


def requisite(number, **fields):
    """Return a requisite of company 1, as the portal answers it."""
    row = {"ID": str(number), "ENTITY_TYPE_ID": "4", "ENTITY_ID": "1", "RQ_INN": "", "SORT": "500"}
    return row | {"NAME": "Main", "DATE_MODIFY": at(number), "ACTIVE": "Y"} | fields


def edit(relay, kind, entity, **fields):
    """Let an item be edited, and its event arrive; returns the Changes."""
    relay.portal.put(kind, 1, **fields)
    name = f"ONCRM{entity.upper()}UPDATE"
    relay.send(event_message(name, 1, "update", entity=entity, type_id=kind))
    return changes(relay.settle())


def test_requisites_are_a_field_with_their_bank_details(asked):
    """A company's requisites come with its next reading, without what follows every edit."""
    asked.portal.requisites[0] |= {"RQ_INN": "7707", "DATE_MODIFY": at(99)}
    account = {"ID": "9", "ENTITY_ID": "5", "RQ_ACC_NUM": "40702", "DATE_MODIFY": at(1)}
    asked.portal.bank_details.append(account)
    (change,) = edit(asked, 4, "company", title="b")
    assert change.changed == ("requisites", "title")
    whole = {"ID": 5, "NAME": "Main", "ACTIVE": "Y", "SORT": "500"}
    assert change.before["requisites"] == [whole]
    accounts = [{"ID": 9, "RQ_ACC_NUM": "40702"}]
    assert change.after["requisites"] == [whole | {"RQ_INN": "7707", "bankDetails": accounts}]
    asked.portal.requisites[0]["DATE_MODIFY"] = at(100)
    (change,) = edit(asked, 4, "company", title="c")
    assert change.changed == ("title",)


def test_contacts_of_a_deal_have_their_roles_and_order(asked):
    """The contacts of a deal are told in their order, with the primary one marked."""
    second = {"CONTACT_ID": 3, "SORT": 20, "ROLE_ID": 4, "IS_PRIMARY": "N"}
    asked.portal.contacts["deal", 1] = [second, CONTACT]
    (change,) = edit(asked, 2, "deal", contactIds=[7, 3])
    assert change.after["contactBindings"] == [
        {"contactId": 7, "roleId": 0, "sort": 10, "isPrimary": True},
        {"contactId": 3, "roleId": 4, "sort": 20, "isPrimary": False},
    ]


def test_an_odd_answer_of_a_part_holds_back_its_own_item_alone(asked):
    """A contact without its id returns the hint of its deal; the other deal is announced."""
    asked.portal.put(2, 2, title="odd", updatedTime=OLD)
    asked.portal.contacts["deal", 2] = [{"SORT": "10"}]
    asked.event(2)
    (change,) = edit(asked, 2, "deal", title="b")
    assert change.id == "1"


def test_requisites_that_changed_alone_are_found_within_a_day(asked):
    """Once a day all items of a kind with requisites are read, as nothing moves their time."""
    asked.portal.requisites[0]["RQ_INN"] = "7707"
    assert asked.sweep() == {"main": "done"}
    assert asked.settle() == []
    with asked.document() as document:
        document.kinds["company"].audited_at = 1
    assert asked.sweep() == {"main": "done"}
    (change,) = changes(asked.settle())
    assert (change.entity, change.changed) == ("company", ("requisites",))


def test_what_is_not_asked_for_costs_nothing(asked, monkeypatch):
    """Without their names in Parts no requisite and no contact is read."""
    monkeypatch.setenv("PARTS", "steps,products")
    asked.portal.calls.clear()
    edit(asked, 4, "company", title="b")
    edit(asked, 2, "deal", title="b")
    methods = {method for method, _ in asked.portal.calls}
    assert methods == {"crm.item.list", "crm.item.productrow.list"}


@pytest.mark.parametrize(
    ("part", "count", "until", "rows"),
    [
        (PRODUCTS, None, 0, 0),
        (PRODUCTS, 0, 0, 0),
        (PRODUCTS, 5, 0, 6.25),
        (PRODUCTS, 5, inf, 50),
        (CONTACTS, 5, 0, 50),
        (REQUISITES, 5, inf, 1.25),
    ],
)
def test_an_item_weighs_the_rows_that_it_had_and_a_page_where_it_is_asked_alone(
    part, count, until, rows
):
    """An owner that is asked for alone fills a page; of requisites most items have one."""
    key = Key("main", "deal", 5)
    assert weigh(part, key, RowHead(row_count=count), {"deal": until}) == rows
