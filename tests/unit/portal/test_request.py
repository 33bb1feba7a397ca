"""relay.portal.request: a renamed portal is followed, and no stranger gets the secret."""

from dataclasses import replace

import pytest

from relay.errors import OperatorError
from relay.portal import Portal
from relay.portal.http import Reply
from relay.portal.request import may_be_renamed
from relay.portal.webhook_state import state_of
from tests.portal_wire import HTML, RATE, READ, SECRET, WRITE, raised, refuse, reply


def moved(to, status=302):
    """Return the answer of a host that sends elsewhere."""
    return Reply(status, b"", f"https://{to}/rest/7/{SECRET}/x.json")


def test_a_renamed_portal_is_followed_with_the_same_post(wire, clock, webhook, caplog):
    """A redirect to a host with the webhook's user is followed, logged, and used from then on."""
    wire.script = [moved("new.bitrix24.com")]
    wire.answer = lambda method, _: {"ID": "7"} if method == "profile" else True
    portal = Portal(webhook)
    assert clock.run(portal.call(WRITE, fields={"title": "a"})) is True
    assert wire.requests[-1] == (WRITE, {"fields": {"title": "a"}})
    assert clock.run(portal.call(READ, id=1)) is True
    assert wire.hosts == ["acme.bitrix24.com"] + ["new.bitrix24.com"] * 3
    assert "acme.bitrix24.com is now new.bitrix24.com" in caplog.text
    assert SECRET not in caplog.text


def test_requests_under_way_while_a_portal_is_renamed_are_all_followed(wire, clock, webhook):
    """A request whose redirect arrives after another one was followed is followed too."""
    state = state_of(webhook)

    def followed_meanwhile(_body):
        state.webhook = replace(webhook, host="new.bitrix24.com")
        return moved("new.bitrix24.com")

    wire.script = [followed_meanwhile]
    wire.answer = lambda method, _: {"ID": "7"} if method == "profile" else True
    assert clock.run(Portal(webhook).call(WRITE, fields={"title": "a"})) is True
    assert wire.hosts == ["acme.bitrix24.com"] + ["new.bitrix24.com"] * 2


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/rest/7/x/",
        "https://acme.bitrix24.com.evil.example/",
        "https://127.0.0.1/",
        "http://new.bitrix24.com/",
        "https://acme.bitrix24.com/auth/",
        "https://[evil/",
        "https://me@new.bitrix24.com/",
        "https://new.bitrix24.com@evil.example/",
        "https://evil.example\\.acme.bitrix24.com/",
        "https://evil.example#.acme.bitrix24.com/",
        "https://evil.example%2f.acme.bitrix24.com/",
        "https://new.bitrix24.com:8443/",
        "https://new.bitrix24.com:99999/",
        "https://new..bitrix24.com/",
        "https://acme.bitrix24.com./",
        "https://acme.bitrix24.com:443/",
        "https://new.bitrix24.ru/",
        "https://new.bitrix24.com.ru/",
        "https://3232235786/",
        "https://0x7f.1/",
        "https://[::1]/",
        "ftp://new.bitrix24.com/",
        "https:/new.bitrix24.com/",
        "/auth/?backurl=1",
        "",
    ],
)
def test_a_foreign_host_never_gets_the_secret(wire, clock, webhook, location):
    """A redirect to a possible stranger raises OperatorError, and no request goes there."""
    wire.script = [Reply(302, b"", location)]
    assert raised(clock, Portal(webhook), kind=OperatorError).code == "REDIRECTED"
    assert wire.hosts == ["acme.bitrix24.com"]


@pytest.mark.parametrize(
    "proof",
    [
        reply(result={"ID": "8"}),
        reply(result=[]),
        refuse(401, "NO_AUTH_FOUND"),
        HTML,
        moved("third.bitrix24.com"),
    ],
)
def test_a_host_with_another_profile_gets_no_call(wire, clock, webhook, proof):
    """A host that does not answer `profile` with the webhook's user raises OperatorError."""
    wire.script = [moved("new.bitrix24.com"), proof]
    assert raised(clock, Portal(webhook), WRITE, OperatorError).code == "REDIRECTED"
    assert [method for method, _ in wire.requests] == [WRITE, "profile"]


def test_a_redirect_is_followed_once(wire, clock, webhook):
    """A second redirect raises OperatorError."""
    wire.script = [
        moved("new.bitrix24.com"),
        reply(result={"ID": "7"}),
        moved("third.bitrix24.com"),
    ]
    assert raised(clock, Portal(webhook), WRITE, OperatorError).code == "REDIRECTED"
    assert len(wire.requests) == 3


def test_a_new_host_that_is_busy_is_tried_again(wire, clock, webhook):
    """A 503 for `profile` at the new host is retried like any other, and the call is made."""
    wire.script = [moved("new.bitrix24.com"), RATE]
    wire.answer = lambda method, _: {"ID": "7"} if method == "profile" else True
    assert clock.run(Portal(webhook).call(WRITE, fields={"title": "a"})) is True
    assert [method for method, _ in wire.commands] == [WRITE]


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://NEW.bitrix24.com:443/rest/", "new.bitrix24.com"),
        ("https://new.bitrix24.com./rest/", "new.bitrix24.com"),
        ("//b24.acme.bitrix24.com", None),
        ("https://crm.acme.bitrix24.com", "crm.acme.bitrix24.com"),
        ("https://портал.acme.bitrix24.com/", "xn--80awhdgm.acme.bitrix24.com"),
    ],
)
def test_a_new_host_is_written_in_one_form(wire, clock, webhook, location, host):
    """Host names are used in lower case and ASCII, without a final dot and the port of https."""
    wire.script = [Reply(302, b"", location)]
    wire.answer = lambda method, _: {"ID": "7"} if method == "profile" else True
    if host is None:
        assert raised(clock, Portal(webhook), kind=OperatorError).code == "REDIRECTED"
    else:
        assert clock.run(Portal(webhook).call(READ, id=1)) is True
        assert wire.hosts[1:] == [host, host]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("a.bitrix24.com", "b.bitrix24.com", True),
        ("a.bitrix24.com.br", "b.bitrix24.com.br", True),
        ("a.bitrix24.com", "b.bitrix24.ru", False),
        ("a.bitrix24.com", "b.bitrix24.com.br", False),
        ("a.bitrix24.com", "b.bitrix24.ru.evil.com", False),
        ("a.bitrix24.com", "evil-bitrix24.com", False),
        ("a.bitrix24.com", "evil.com", False),
        ("crm.acme.org", "a.bitrix24.com", False),
        ("crm.acme.org", "crm.acme.org:443", True),
        ("crm.acme.org:8443", "crm.acme.org", True),
        ("crm.acme.org:8443", "crm.acme.org:8443", True),
        ("crm.acme.org", "crm.acme.org:8443", False),
        ("crm.acme.org", "new.crm.acme.org", True),
        ("crm.acme.org", "b24.acme.org", False),
        ("crm.acme.org", "acme.org", False),
        ("crm.acme.org", "evilcrm.acme.org", False),
        ("portal.firm.co.uk", "evil.co.uk", False),
        ("crm.firma.com.ua", "evil.com.ua", False),
        ("bitrix.firma.msk.ru", "evil.msk.ru", False),
        ("xn--80a.xn--p1ai", "b24.xn--80a.xn--p1ai", True),
        ("192.168.1.10", "203.0.1.10", False),
        ("192.168.1.10", "192.168.1.10", False),
        ("192.168.1.10", "5.192.168.1.10", False),
        ("127.0.0.1:8024", "localhost:9000", False),
        ("[::1]:8024", "[::1]:9000", False),
        ("localhost:8024", "127.0.0.1:8024", False),
    ],
)
def test_only_related_hosts_may_be_the_same_portal(old, new, same):
    """Cloud portals stay in their zone, others keep their name or go below it, IPs never move."""
    assert may_be_renamed(old, new) is same


def test_a_simulated_portal_may_change_its_port():
    """With `any_port` another port is accepted for a host name, and still not for an IP address."""
    assert may_be_renamed("localhost:8024", "localhost:9000", any_port=True)
    assert not may_be_renamed("127.0.0.1:8024", "127.0.0.1:9000", any_port=True)
