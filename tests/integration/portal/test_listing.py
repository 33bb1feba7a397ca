"""The client of the relay walks every list of the simulated portal to its end."""

import asyncio

import pytest

from local.portal.call import Call
from local.portal.family import FAMILIES
from local.portal.items import Actor, add_item
from local.portal.rows import insert, table_of
from relay.portal import Portal
from relay.portal.webhook import Webhook

ROWS = 120  # three pages
# Who a row belongs to, in every spelling that a family has
OWNED = {"OWNER_TYPE_ID": 2, "OWNER_ID": 1, "ownerType": "D", "ownerId": 1, "IBLOCK_ID": 1}
OWNED |= {"ENTITY_ID": "SOURCE", "bindings": [("deal", 1)], "comment": "x", "author": 1}
OWNED |= {"IBLOCK_TYPE_ID": "lists"}
ASKED = {
    "crm.item.productrow.list": {"filter": {"=ownerType": "D", "=ownerId": 1}},
    "lists.element.get": {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": 1},
    "lists.get": {"IBLOCK_TYPE_ID": "lists"},
}
# Lists with ids, and two that have none
LISTS = (
    *("crm.activity", "crm.timeline.comment", "crm.item.productrow", "crm.requisite", "crm.status"),
    *("crm.product", "catalog.product", "lists.element", "lists", "crm.currency", "crm.address"),
)


@pytest.fixture(scope="module")
def filled(shared):
    """Fill the tables of the lists, and hire a hundred people."""

    def fill():
        call = Call(shared.portal, shared.webhook, {"iblock_id": 1, "iblock_type_id": "lists"})
        for number in range(ROWS):
            shared.portal.add_user("Ann", f"Lee {number}")
        insert(call, FAMILIES["lists"], {"IBLOCK_TYPE_ID": "lists", "CODE": "one", "NAME": "One"})
        for name in LISTS:
            table_of(call, FAMILIES[name])
            for number in range(ROWS):
                own = {"STATUS_ID": f"S{number}", "CURRENCY": f"C{number}", "CODE": f"C{number}"}
                insert(call, FAMILIES[name], OWNED | own)

    shared.run(fill)
    return shared


def walk(server, method, **params):
    """Read a list with the relay's client."""

    async def read():
        portal = Portal(Webhook.parse(server.webhook_url, allow_http=True))
        return [item async for item in portal.list(method, **params)]

    return asyncio.run(read())


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.usefixtures("filled")
def test_a_list_is_read_to_its_end(server, name):
    """Every row comes once, though a page has fifty of them."""
    family = FAMILIES[name]
    method = f"{name}.{family.operations['list']}"
    rows = walk(server, method, **ASKED.get(method, {}))
    keys = [
        str(row.get("id", row.get("ID", row.get("CURRENCY", at)))) for at, row in enumerate(rows)
    ]
    assert len(rows) == len(server.portal.tables[family.table])
    assert len(set(keys)) == len(rows)


@pytest.mark.parametrize("method", ["user.get", "user.search"])
@pytest.mark.usefixtures("filled")
def test_people_are_read_to_their_end(server, method):
    """[user-get.md] `SORT` and `ORDER` are words there."""
    assert len(walk(server, method)) == len(server.portal.users)


@pytest.mark.parametrize("doubled", [{60}, {60, 61, 130}, set(range(60, 70))])
def test_a_page_with_items_that_the_portal_dropped_is_not_the_last(shared, doubled):
    """Where rights are stored twice a page has fewer than 50 items, and more follow."""
    portal = shared.portal
    webhook = portal.add_incoming(portal.add_user("Bea", "Low"))
    shared.run(
        lambda: [add_item(portal, portal.types[1], {"title": "a"}, Actor(1)) for _ in range(220)]
    )
    portal.doubled_rights = {(1, number) for number in doubled}
    client = Portal(Webhook.parse(f"{shared.url}{webhook.path()}", allow_http=True))

    async def ids():
        return [item["id"] async for item in client.list("crm.item.list", entityTypeId=1)]

    try:
        assert asyncio.run(ids()) == sorted(portal.items[1].rows)
    finally:
        portal.doubled_rights = set()
