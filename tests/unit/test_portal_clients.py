"""relay.portal_clients: one client a portal, with the pace that the stack was given."""

import pytest

from relay import portal_clients, settings
from relay.errors import ConfigurationError
from relay.portal_clients import PortalClients


@pytest.fixture
def urls(monkeypatch):
    """Return the stored URLs by kind and portal, with the template's environment around them."""
    urls = {("write", "main"): "https://main.example/rest/1/writesecret/"}
    monkeypatch.setattr(settings, "webhook_url", lambda kind, name: urls[kind, name])
    monkeypatch.setattr(settings, "client", lambda service: service)
    for name, value in {
        "STATE_TABLE": "state",
        "PORTAL_BURST": "250",
        "PORTAL_RATE": "5",
        "PORTAL_RESERVE_PERCENT": "20",
    }.items():
        monkeypatch.setenv(name, value)
    return urls


def test_a_client_is_made_once(urls):
    """The same portal is the same client until its webhook is another."""
    known = PortalClients("write", lambda: 60.0)
    first = known.get("main")
    assert known.get("main") is first
    urls["write", "main"] = "https://main.example/rest/1/anothersecret/"
    assert known.get("main") is not first


@pytest.mark.usefixtures("urls")
def test_the_pace_is_the_stacks(monkeypatch):
    """Plan and reserve come from the template's parameters, for every function the same."""
    made = []
    monkeypatch.setattr(portal_clients, "SharedSlots", lambda *arguments: made.append(arguments))
    PortalClients("write", lambda: 60.0).get("main")
    ((client, table, name, pace),) = made
    assert (client, table, name) == ("dynamodb", "state", "main")
    assert (pace.burst, pace.rate, pace.reserve) == (250, 5, 0.2)


@pytest.mark.usefixtures("urls")
def test_plain_http_needs_its_switch(urls, monkeypatch):
    """A portal without TLS is called on a developer's desk only."""
    urls["write", "main"] = "http://127.0.0.1:8024/rest/1/writesecret/"
    with pytest.raises(ConfigurationError, match="https"):
        PortalClients("write", lambda: 60.0).get("main")
    monkeypatch.setenv("ALLOW_HTTP", "true")
    assert PortalClients("write", lambda: 60.0).get("main").webhook.scheme == "http"
