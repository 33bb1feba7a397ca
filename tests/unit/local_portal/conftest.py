"""A portal in memory with a webhook, and a short way to call it."""

from types import SimpleNamespace

import pytest

import local.portal.methods  # noqa: F401  importing them registers them
from local.portal.errors import RestError
from local.portal.items import Actor, add_item
from local.portal.portal import Portal
from local.portal.run import run_method
from local.portal.seed import seed


@pytest.fixture
def desk():
    """Make a seeded portal, its webhook, and `call`, which answers with `result` alone."""
    portal = Portal()
    seed(portal)
    webhook = portal.add_incoming(1, "secret12secret12")

    def answer(method, **params):
        return run_method(portal, webhook, method, params)

    def call(method, **params):
        return answer(method, **params)["result"]

    def refusal(method, **params):
        with pytest.raises(RestError) as caught:
            answer(method, **params)
        return caught.value

    def events():
        """Take the events that wait: names and subjects."""
        waiting = [(row.event, row.subject) for row in portal.outbox.waiting]
        portal.outbox.waiting.clear()
        return waiting

    portal.add_outgoing("http://127.0.0.1:9/hook", token="token" * 6)
    return SimpleNamespace(
        portal=portal, webhook=webhook, answer=answer, call=call, refusal=refusal, events=events
    )


@pytest.fixture
def full(desk):
    """Make a portal in which a row of each family can be made."""
    for scope in ("catalog", "lists", "task", "userfieldconfig", "user.userfield"):
        desk.webhook.scopes.add(scope)
    portal = desk.portal
    add_item(portal, portal.types[1], {"title": "Lead"}, Actor(), event=False)
    desk.call("lists.add", IBLOCK_TYPE_ID="lists", IBLOCK_CODE="first", FIELDS={"NAME": "First"})
    row = {"ownerType": "D", "ownerId": 1, "productName": "Desk", "price": 5}
    desk.call("crm.item.productrow.add", fields=row)
    desk.call("crm.item.payment.add", entityTypeId=2, entityId=1)
    desk.events()
    return desk
