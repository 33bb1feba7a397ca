"""The portal client over real sockets, against the simulated portal and its faults."""

import asyncio
import logging
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local.portal.faults import ERRORS, TRANSPORT, make_fault
from local.portal.server import PortalServer
from relay.errors import CallError, MayHaveRunError, OperatorError, TransientError
from relay.portal import Portal, Webhook
from relay.portal.slots import OwnSlots, Pace
from relay.portal.webhook_state import forget

SECRET = "s3cr3ts3cr3ts3cr"
SHORT = 1.2  # seconds of the function: too few for a retry


@pytest.fixture(scope="module")
def shared():
    """Start a portal without limits for all tests of the module."""
    with PortalServer(secret=SECRET, limits=False) as started:
        yield started


@pytest.fixture
def server(shared):
    """Return the portal without recorded calls and faults."""
    forget()
    shared.portal.activity.calls.clear()
    yield shared
    shared.portal.faults.clear()
    forget()


@pytest.fixture
def output(caplog, capfd):
    """Return the function that returns all that was logged, at DEBUG too, and printed."""
    caplog.set_level(logging.DEBUG)

    def read():
        records = [f"{vars(record)}" for record in caplog.records]
        return caplog.text + "".join(records) + "".join(capfd.readouterr())

    return read


def client(server, **options):
    """Return a client of a portal."""
    return Portal(Webhook.parse(server.webhook_url, allow_http=True), **options)


def methods(server):
    """Return the methods of the requests that the portal received."""
    return [row["method"] for row in server.portal.activity.calls]


def fail(server, kind, **how):
    """Let the next requests to the portal fail in this way."""
    server.portal.faults.append(make_fault(1, {"kind": kind, **how}))


def test_calls_lists_and_batches_reach_a_portal(server):
    """Calls, a list and a batch with a reference return what the portal holds."""
    portal = client(server)

    async def use():
        profile, deals = await asyncio.gather(
            portal.call("profile"), portal.call("crm.item.list", entityTypeId=2)
        )
        listed = [deal["id"] async for deal in portal.list("crm.item.list", entityTypeId=2)]
        commands = {
            "new": ("crm.item.add", {"entityTypeId": 2, "fields": {"title": "Я & [b] + 1"}}),
            "read": ("crm.item.get", {"entityTypeId": 2, "id": "$result[new][item][id]"}),
        }
        both = await portal.batch(commands, halt=True)
        return profile, deals, listed, both

    profile, deals, listed, both = asyncio.run(use())
    assert profile["ID"] == "1"
    assert listed == [deal["id"] for deal in deals["items"]]
    assert both["read"]["item"]["title"] == "Я & [b] + 1"


def test_texts_that_look_like_references_are_stored_unchanged(server):
    """Four texts that a batch would change are sent alone; the other 21 share requests."""
    portal = client(server)
    texts = ["$result[c0][item][title]", "costs $RESULT[1]", "$total[x] left", "$error[c0]", "$5"]
    texts += [f"ordinary {number}" for number in range(20)]

    async def write(text):
        fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": text}
        number = await portal.call("crm.timeline.comment.add", fields=fields)
        return (await portal.call("crm.timeline.comment.get", id=number))["COMMENT"]

    async def use():
        return await asyncio.gather(*(write(text) for text in texts))

    before = len(methods(server))
    assert asyncio.run(use()) == texts
    assert methods(server)[before:].count("crm.timeline.comment.add") == 4


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", [*ERRORS, *sorted(set(TRANSPORT) - {"slow"})])
def test_no_fault_runs_a_create_twice_or_shows_the_secret(server, output, kind, when):
    """A create is sent once, raises a CallError, and no log, output or error has the secret."""
    fail(server, kind, when=when, seconds=2)
    portal = client(server, remaining_seconds=lambda: SHORT)
    deals = len(server.portal.items[2])
    fields = {"title": "new"}
    try:
        asyncio.run(portal.call("crm.item.add", entityTypeId=2, fields=fields))
    except CallError as error:
        shown = "".join(traceback.format_exception(error)) + repr(vars(error))
    else:
        pytest.fail("no error")
    ran = len(server.portal.items[2]) - deals
    assert ran == (when == "after" and (kind in ERRORS or kind in TRANSPORT))
    text = output() + shown
    assert SECRET not in text
    assert ("/rest/***/***/crm.item.add" in text) == (kind not in {"reset", "timeout"})


@pytest.mark.parametrize("kind", ["reset", "truncated", "html_500", "server_error", "deadlock"])
def test_a_read_whose_answer_was_lost_is_retried(server, kind):
    """A read whose answer was lost is sent again and returns the item."""
    fail(server, kind, times=1)
    item = asyncio.run(client(server).call("crm.item.get", entityTypeId=2, id=1))
    assert item["item"]["id"] == 1
    assert methods(server).count("crm.item.get") == 2


def test_a_batch_that_the_portal_cuts_off_is_asked_for_in_parts(server, monkeypatch):
    """Fifty reads that are more than the portal's time for a request are read in two."""
    monkeypatch.setattr(server.portal.settings, "command_seconds", 0.02)
    monkeypatch.setattr(server.portal.settings, "cutoff_seconds", 0.8)
    portal = client(server, slots=OwnSlots(Pace(burst=5000, rate=2000)))

    async def fifty():
        calls = (portal.call("crm.item.get", entityTypeId=2, id=1) for _ in range(50))
        return await asyncio.gather(*calls)

    assert len(asyncio.run(fifty())) == 50
    assert methods(server) == ["batch"] * 3


def test_a_refused_batch_is_sent_again(server, output):
    """Two creates in a batch that the rate refused run once each in the second batch."""
    fail(server, "rate", times=1)
    portal = client(server, slots=OwnSlots(Pace(burst=5000, rate=2000)))
    deals = len(server.portal.items[2])
    new = {"title": "new"}

    async def two():
        calls = (portal.call("crm.item.add", entityTypeId=2, fields=new) for _ in range(2))
        await asyncio.gather(*calls)

    asyncio.run(two())
    assert len(server.portal.items[2]) - deals == 2
    assert methods(server).count("batch") == 2
    assert SECRET not in output()


def test_a_call_to_a_portal_that_is_down_never_ran(output):
    """A refused connection raises TransientError without the secret."""
    webhook = Webhook.parse(f"http://127.0.0.1:9/rest/1/{SECRET}/", allow_http=True)
    portal = Portal(webhook, remaining_seconds=lambda: SHORT)
    with pytest.raises(TransientError, match="NOT_CONNECTED"):
        asyncio.run(portal.call("crm.item.add", fields={}))
    assert SECRET not in output()


class Redirect(BaseHTTPRequestHandler):
    """The old host of a renamed portal."""

    def do_POST(self):
        """Redirect to the new host."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302)
        self.send_header("Location", self.server.to + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Log nothing."""


@pytest.fixture
def old_host():
    """Start a server that redirects to the address in its `to`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as host:
        thread = threading.Thread(target=host.serve_forever, args=(0.01,))
        thread.start()
        yield host
        host.shutdown()
        thread.join()


def test_a_renamed_portal_is_followed(server, old_host, output):
    """The create runs at the new host after a `profile`, and a log line names both hosts."""
    old_host.to = server.url.replace("127.0.0.1", "localhost")
    path = f"http://localhost:{old_host.server_port}/rest/1/{SECRET}/"
    portal = Portal(Webhook.parse(path, allow_http=True))
    deals = len(server.portal.items[2])
    asyncio.run(portal.call("crm.item.add", entityTypeId=2, fields={"title": "here"}))
    assert len(server.portal.items[2]) - deals == 1
    assert methods(server) == ["profile", "crm.item.add"]
    text = output()
    assert f"localhost:{old_host.server_port} is now localhost:{server.port}" in text
    assert SECRET not in text


def test_another_portal_is_not_followed(server, old_host, output):
    """A new host that does not know the webhook gets no create."""
    old_host.to = server.url.replace("127.0.0.1", "localhost")
    path = f"http://localhost:{old_host.server_port}/rest/1/another0secret00/"
    portal = Portal(Webhook.parse(path, allow_http=True))
    with pytest.raises(OperatorError, match=r"REDIRECTED: .*NO_AUTH_FOUND"):
        asyncio.run(portal.call("crm.item.add", entityTypeId=2, fields={}))
    assert "another0secret00" not in output()


def test_an_answer_of_50_mb_is_not_read_to_its_end(server, monkeypatch):
    """Reading stops at 32 MB, and the error of the read advises to select fewer fields."""
    rows = server.portal.items[2].rows
    monkeypatch.setitem(rows, 1, rows[1] | {"title": "x" * 50_000_000})
    portal = client(server, remaining_seconds=lambda: 20)
    with pytest.raises(CallError, match=r"ANSWER_TOO_LARGE: .*select fewer fields") as caught:
        asyncio.run(portal.call("crm.item.get", entityTypeId=2, id=1))
    assert not isinstance(caught.value, MayHaveRunError)
