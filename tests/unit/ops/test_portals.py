"""ops.portals: a connected portal with the stack's own limit, and writes that are noted."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ops.portals import Noted, Writer, open_portal
from relay.errors import LoopError, TransientError
from relay.portal.fake import FakePortal
from tests.dynamo import Dynamo
from tests.parameter_store import ParameterStore
from tests.pasts import STACK

LIMIT = {"PortalBurst": "50", "PortalRate": "2", "PortalReservePercent": "10"}
CONNECTED = replace(STACK, outputs={"SecretsPrefix": "/relay/relay"}, parameters=LIMIT)


def storing(url):
    """Return a Parameter Store with the writing webhook of portal main."""
    return ParameterStore(**{"/relay/relay/webhook-urls/write/main": url})


def test_a_portal_is_opened_through_its_writing_webhook():
    """Its requests take slots from the limit that the functions share."""
    url = "https://demo.bitrix24.example/rest/5/s3cr3ts3cr3t/"
    portal = open_portal(storing(url), object(), CONNECTED, "main")
    assert (portal.webhook.host, portal.webhook.user_id) == ("demo.bitrix24.example", 5)


def test_a_portal_that_is_not_connected_is_refused():
    """The error names the command that connects it, and no URL."""
    with pytest.raises(
        SystemExit, match="portal second is not connected: `make connect PORTAL=sec"
    ):
        open_portal(storing("x"), object(), CONNECTED, "second")
    with pytest.raises(SystemExit, match=r"`make connect PORTAL=main` stores another") as refused:
        open_portal(storing("http://demo/rest/5/s3cr3ts3cr3t/"), object(), CONNECTED, "main")
    assert "s3cr3t" not in str(refused.value)


UPDATE = {"entityTypeId": 2, "id": 5, "fields": {"title": "a"}}


@pytest.fixture
def portal():
    """Return a portal that takes updates."""
    fake = FakePortal({"crm.item.update": {"item": {"id": 5}}})
    fake.webhook = SimpleNamespace(host="main.bitrix24.com", user_id=7)
    return fake


def write(portal, table, *records):
    """Write an update for each record; return the results and errors."""
    calls = [Noted(one, "crm.item.update", UPDATE) for one in records]
    return asyncio.run(Writer(portal, table, CONNECTED, "main").write("undo", calls))


def test_a_write_is_noted_before_it_is_sent(portal):
    """The note has the webhook's user, so that announce knows the change as `undo`'s."""
    table = Dynamo()
    assert write(portal, table, "r1") == [{"item": {"id": 5}}]
    (row,) = table.rows.values()
    assert len(row["sent undo"]["SS"]) == 1
    assert '"user":7,"fields":{"title":"a"}' in str(row)


def test_no_more_is_written_to_an_item_than_a_reaction_may(portal):
    """Of 31 writes within an hour the last is refused, and not sent."""
    results = write(portal, Dynamo(), *map(str, range(31)))
    assert [type(one) for one in results if isinstance(one, Exception)] == [LoopError]
    assert len(portal.calls) == 30


def test_a_write_that_was_not_sent_leaves_no_note(portal):
    """A person's edit to the same value within minutes is a person's."""
    table = Dynamo()
    portal.fail("crm.item.update", "QUERY_LIMIT_EXCEEDED")
    (error,) = write(portal, table, "r1")
    assert isinstance(error, TransientError)
    assert "title" not in str(table.rows)
