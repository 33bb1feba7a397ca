"""Every ready reaction on a simulated portal: what is rehearsed afterwards is what it wrote."""

import asyncio
from functools import cache

import pytest

from local.portal.server import PortalServer
from ops import rehearse
from ops.reactions import ROOT, find_reaction
from relay.portal import Portal, Webhook
from relay.portal.idempotent import is_read
from relay.portal.slots import OwnSlots, Pace
from relay.portal.webhook_state import forget
from tests.aws_clients import functions_of
from tests.batches import Sqs, handle
from tests.pasts import STACK, Tables
from tests.tracking_aws import changes
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

LEAD, DEAL, CONTACT, COMPANY = 1, 2, 3, 4
NAMES = {LEAD: "lead", DEAL: "deal", CONTACT: "contact", COMPANY: "company"}
TYPED = {"n0": {"typeId": "PHONE", "valueType": "WORK", "value": "8 (495) 123-45-67"}}
# What a reaction reads that neither mirror nor history hold.
UNHELD = {
    "notify_stage": "crm.status.list",
    "assign_in_turn": "user.get",
    "find_duplicates": "crm.duplicate.findbycomm",
}
UNHELD_CHANGES = {"notify_stage": 2, "assign_in_turn": 1, "find_duplicates": 1}
REFUSED = {"call_back", "greet_contact", "journal", "start_from_robot", "post_json"}
LOCAL = cache(find_reaction)
READY = [*UNHELD, "follow_up", "order_summary", "hand_over", "tidy_phone"]


class World:
    """A portal, the relay that tracks it, and what was written to the portal."""

    def __init__(self, relay, webhook, monkeypatch, aws_clients):
        self.relay, self.webhook, self.written = relay, webhook, []
        self.tables = Tables(relay)
        call = Portal.call

        async def noted(portal, method, /, **params):
            if not is_read(method):
                self.written.append((method, params))
            return await call(portal, method, **params)

        monkeypatch.setattr(Portal, "call", noted)
        relay.connect = self.portal
        monkeypatch.setenv("PARTS", "steps,products")
        monkeypatch.setattr(rehearse, "find_reaction", LOCAL)
        aws_clients.deploy(STACK)["dynamodb"] = self.tables

    def portal(self, *_):
        """Return a client of the portal."""
        slots = OwnSlots(Pace(burst=5000, rate=2000))
        return Portal(self.webhook, remaining_seconds=lambda: 60.0, slots=slots)

    def call(self, method, **params):
        """Let a person do something in the portal."""
        return asyncio.run(self.portal().call(method, **params))

    def add(self, kind, **fields):
        """Add an item; returns its id, and lets its event come."""
        number = self.call("crm.item.add", entityTypeId=kind, fields=fields)["item"]["id"]
        self.relay.event(number, "add", entity=NAMES[kind], type_id=kind)
        return number

    def update(self, kind, number, **fields):
        """Edit an item, and let its event come."""
        self.call("crm.item.update", entityTypeId=kind, id=number, fields=fields)
        self.relay.event(number, entity=NAMES[kind], type_id=kind)

    def move_on(self, messages):
        """Let the relay read what reactions wrote to the items of Changes, and what was edited."""
        self.update(CONTACT, self.contacts[1], companyId=0)
        for one in changes(messages):
            self.relay.event(one.id, entity=one.entity, type_id=one.entity_type_id)
        self.relay.settle()

    def happen(self):
        """Let people do what the ready reactions answer; returns the Changes."""
        company = self.add(COMPANY, title="Desks Ltd", assignedById=2)
        self.contacts = [self.add(CONTACT, name=name, companyId=company) for name in ("Ada", "Bob")]
        deals = [
            self.add(DEAL, title=f"{n} desks", companyId=company, stageId="NEW") for n in "123"
        ]
        rows = [{"productName": "Desk", "price": 50, "quantity": 3}]
        self.call("crm.item.productrow.set", ownerType="D", ownerId=deals[0], productRows=rows)
        self.relay.queues.messages.clear()
        self.relay.baseline()
        self.relay.sweep()
        self.relay.settle()
        self.update(DEAL, deals[0], stageId="PREPARATION")
        self.update(DEAL, deals[0], stageId="WON")
        self.update(DEAL, deals[1], title="Many desks")
        self.update(COMPANY, company, assignedById=3)
        self.update(CONTACT, self.contacts[0], fm=TYPED)
        self.add(CONTACT, name="Cleo", fm=TYPED)
        self.add(LEAD, title="Call me", fm=TYPED)
        self.add(LEAD, title="No phone", assignedById=3)
        self.add(DEAL, title="Won at once", stageId="WON", assignedById=3)
        return self.relay.settle()

    def react(self, name, messages):
        """Let a reaction handle its Changes; returns the portal's writes by Change, stampless."""
        local, writes = LOCAL(name), {}
        for change in filter(local.gets, changes(messages)):
            self.written.clear()
            assert handle(local.run, change.to_json()) == []
            writes[change.change_id] = [
                (method, stampless(params)) for method, params in self.written
            ]
        return writes


def stampless(params):
    """Return the parameters of a call as the reaction gave them."""
    fields = params.get("fields", {})
    return params | {"fields": {n: one for n, one in fields.items() if n != "XML_ID"}}


@pytest.fixture
def world(relay, monkeypatch, aws_clients):
    """Return a portal with people, a relay that tracks it, and what reactions need."""
    forget()
    with PortalServer(limits=False) as server:
        world = World(
            relay, Webhook.parse(server.webhook_url, allow_http=True), monkeypatch, aws_clients
        )
        yield world
    forget()


def test_what_is_listed_is_what_was_written(world):
    """By all seven, also when the portal has moved on; what can't be answered is named instead."""
    messages, wrote = world.happen(), {}
    with functions_of(world.portal, sqs=Sqs(), dynamodb=world.tables):
        for name in READY:
            wrote[name] = world.react(name, messages)
            assert any(wrote[name].values()), name
    world.move_on(messages)
    world.written.clear()
    for name in READY:
        document = rehearse.command(name, since="1h").document
        assert {one["change"] for one in document["changes"]} == wrote[name].keys(), name
        for one in document["changes"]:
            if "not_held" in one:
                assert one["not_held"] == UNHELD.get(name)
                continue
            listed = [(write["method"], write["params"]) for write in one["writes"]]
            assert listed == wrote[name][one["change"]], name
            assert one["as_done"] is (True if listed else None)
        assert document["unknown"] == (UNHELD_CHANGES.get(name, 0))
    assert world.written == []


def test_no_ready_reaction_is_left_out():
    """Reactions to events, and one without a portal, are refused by name."""
    names = {one.stem for one in (ROOT / "src/relay/reactions").glob("[a-z]*.py")}
    assert names == {*READY, *REFUSED}
    for name in REFUSED:
        with pytest.raises(SystemExit, match=r"only changes are kept|takes no portal"):
            rehearse.command(name)
