"""A webhook that was handed to a system user, as its owner was dismissed: its address stays."""

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import pytest

from local.portal.admin_webhooks import dismiss
from local.portal.run import run_method
from local.portal.server import PortalServer
from relay.change import Fields
from relay.echo.detect import is_echo
from relay.portal import Portal, Webhook
from relay.reaction import acting_user
from relay.reaction.checkpoint import Checkpoint
from relay.reaction.lookup import Lookup
from relay.reaction.portal import OncePortal
from relay.reaction.write_notes import Author, Ledger, WriteNotes
from relay.tracking.commands import items_of, read_command
from relay.tracking.difference import difference
from relay.tracking.projection import project
from tests.runs import Deliveries, batch_of
from tests.samples import change_of

SECRET = "s3cr3ts3cr3ts3cr"


@pytest.fixture
def portal(monkeypatch):
    """Return a portal whose webhook's owner may be dismissed."""
    monkeypatch.setattr(acting_user, "_users", {})
    with PortalServer(secret=SECRET, limits=False) as server:
        yield server


class Writing:
    """A reaction that writes to a portal, and the ledger that it leaves."""

    def __init__(self, server):
        self.record, self.server, self.numbers = Deliveries(), server, count(2)
        webhook = Webhook.parse(server.webhook_url, allow_http=True)
        self.client = Portal(webhook)

    def write(self, method, **params):
        """Write as a reaction; return the ids in the answer."""

        async def run():
            record_id = f"main.deal.5.b.{next(self.numbers)}"
            checkpoint = Checkpoint.of(f"done#tidy#{record_id}", None, time.time())
            run = self.record.run_of(checkpoint, record_id)
            ledger = Ledger(batch_of(self.record.table), "tidy", Counter())
            user = acting_user.acting_user(self.client.webhook)
            author = Author("main", record_id, record_id, user)
            notes = WriteNotes(ledger, author, self.record.log)
            return await OncePortal(self.client, run, Lookup(self.client), notes).call(
                method, **params
            )

        return asyncio.run(run())

    def read(self, entity, number):
        """Return an item as the mirror has it."""
        method, params = read_command(entity, [number])
        (item,) = items_of(entity, asyncio.run(self.client.call(method, **params)))
        return project(entity, item)

    def is_echo(self, entity, number, before):
        """Return whether what became of an item since is taken for a reaction's."""
        after = self.read(entity, number)
        changed = difference(before, after)
        assert changed
        change = replace(
            change_of(),
            entity=entity,
            id=str(number),
            action="updated" if before else "added",
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            changed=tuple(changed),
            before=Fields({name: before.get(name) for name in changed}),
            after=Fields(after),
        )
        return is_echo(self.record.table.rows, change)


@pytest.fixture
def writing(portal):
    """Return a reaction whose webhook's owner is dismissed; a system user has the webhook now."""
    writing = Writing(portal)
    portal.run(lambda: dismiss(portal.portal, {"id": 1, "hand_over": True}))
    return writing


def make(writing, entity="deal", **fields):
    """Make an item as a person; return its number."""
    if entity == "task":
        fields = {"TITLE": "a", "RESPONSIBLE_ID": 1}
        return int(writing.server.call("tasks.task.add", fields=fields)["task"]["id"])
    fields = {"title": "a"}
    return writing.server.call("crm.item.add", entityTypeId=2, fields=fields)["item"]["id"]


def update(entity, number, title):
    """Return method and parameters of an update."""
    if entity == "task":
        return "tasks.task.update", {"taskId": number, "fields": {"TITLE": title}}
    return "crm.item.update", {"entityTypeId": 2, "id": number, "fields": {"title": title}}


@pytest.mark.parametrize("entity", ["deal", "task"])
def test_writes_of_a_system_user_are_echoes(writing, entity):
    """One question shows who writes; the first write and all after it are that user's."""
    number, requests = make(writing, entity), []
    for title in ("b", "c"):
        before, sent = writing.read(entity, number), writing.client.requests
        method, params = update(entity, number, title)
        writing.write(method, **params)
        requests.append(writing.client.requests - sent)
        assert writing.is_echo(entity, number, before)
    assert requests == [2, 1]


def test_an_item_that_a_system_user_made_is_an_echo(writing):
    """A stamp counts with the user who really made the item."""
    made = writing.write("crm.item.add", entityTypeId=2, fields={"title": "a"})
    assert writing.is_echo("deal", made["item"]["id"], {})


def test_a_classic_write_is_an_echo_once_the_user_is_known(writing):
    """Their answers name nobody, so the process must have learnt it from another write."""
    number = make(writing)
    method, params = update("deal", number, "b")
    writing.write(method, **params)
    before = writing.read("deal", number)
    writing.write("crm.deal.update", id=number, fields={"TITLE": "c"})
    assert writing.is_echo("deal", number, before)


def test_an_update_that_changes_nothing_makes_nobody_the_writer(portal):
    """It names whoever saved the item before; that person's edits stay a person's."""
    writing = Writing(portal)
    person = portal.portal.add_incoming(portal.portal.add_user("Bea", "Low"))
    number = make(writing)
    before = writing.read("deal", number)
    method, params = update("deal", number, "b")
    portal.run(lambda: run_method(portal.portal, person, method, params))
    for requests in (2, 1):
        sent = writing.client.requests
        writing.write(method, **params)
        assert writing.client.requests - sent == requests
    assert not writing.is_echo("deal", number, before)


def test_a_portal_that_does_not_say_who_writes_fails_no_write(writing):
    """The write is done, and noted as the address's user's."""
    number = make(writing)
    writing.server.fault("access_denied", method="profile", times=1)
    before = writing.read("deal", number)
    method, params = update("deal", number, "b")
    writing.write(method, **params)
    assert writing.read("deal", number)["title"] == "b"
    assert not writing.is_echo("deal", number, before)
