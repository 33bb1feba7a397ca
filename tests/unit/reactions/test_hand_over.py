"""relay.reactions.hand_over: which methods it calls, with what."""

import asyncio

from relay.portal.fake import FakePortal
from relay.reactions.hand_over import hand_over
from tests.samples import load


def test_contacts_and_open_deals_get_the_companys_new_person():
    """Won and lost deals are left out, and the lists do not depend on the responsible person."""
    items = {3: [{"id": 7}, {"id": 8}], 2: [{"id": 662}]}
    portal = FakePortal(
        {
            "crm.item.list": lambda entityTypeId, **_: {"items": items[entityTypeId]},  # noqa: N803
            "crm.item.update": {"item": {}},
        }
    )
    asyncio.run(hand_over(load("sqs_company_handed_over"), portal))
    asked, written = portal.calls[:2], portal.calls[2:]
    assert [params for _, params in asked] == [
        {"entityTypeId": 3, "filter": {"companyId": 12}, "select": ["id"]},
        {
            "entityTypeId": 2,
            "filter": {"companyId": 12, "stageSemanticId": "P"},
            "select": ["id"],
        },
    ]
    person = {"assignedById": 9}
    assert written == [
        ("crm.item.update", {"entityTypeId": kind, "id": item, "fields": person})
        for kind, item in ((3, 7), (3, 8), (2, 662))
    ]
