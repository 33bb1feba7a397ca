"""relay.portal_clients: one client for each portal, with the pace of the stack."""

import pytest

from relay.errors import ConfigurationError
from relay.portal.slots import OwnSlots, Pace
from relay.portal_clients import PortalClients, stack_pace

MAIN, OTHER = (f"https://main.example/rest/1/{secret}secret/" for secret in ("write", "another"))


@pytest.fixture
def urls():
    """Return the stored URL of each webhook by kind and portal."""
    return {("write", "main"): MAIN, ("read", "main"): OTHER}


@pytest.fixture
def clients(urls):
    """Return the clients of a function that writes."""
    return PortalClients(
        "write",
        lambda: 60.0,
        webhook_url=lambda kind, portal: urls[kind, portal],
        slots=lambda _portal: OwnSlots(Pace()),
    )


def test_a_changed_webhook_makes_a_new_client(clients, urls):
    """A portal keeps its client until another URL is stored for its webhook of this kind."""
    assert clients.last("main") is None
    first = clients.get("main")
    assert clients.get("main") is clients.last("main") is first
    urls["write", "main"] = OTHER
    assert clients.last("main") is first
    assert clients.get("main") is clients.last("main")
    assert clients.last("main").webhook.secret == "anothersecret"


def test_plain_http_needs_the_setting_allow_http(clients, urls, monkeypatch):
    """A webhook URL without TLS is refused unless ALLOW_HTTP is true."""
    urls["write", "main"] = "http://127.0.0.1:8024/rest/1/writesecret/"
    with pytest.raises(ConfigurationError, match="https"):
        clients.get("main")
    monkeypatch.setenv("ALLOW_HTTP", "true")
    assert clients.get("main").webhook.scheme == "http"


@pytest.fixture
def stack(monkeypatch):
    """Set the environment of a stack whose portal is on the Enterprise plan."""
    parameters = {"BURST": "250", "RATE": "5", "RESERVE_PERCENT": "20"}
    for name, value in parameters.items():
        monkeypatch.setenv(f"PORTAL_{name}", value)
    monkeypatch.setenv("STATE_TABLE", "state")


@pytest.mark.usefixtures("stack")
def test_the_stacks_parameters_set_the_pace():
    """The portal's plan and the reserve come from the template's parameters."""
    assert stack_pace() == Pace(burst=250, rate=5, reserve=0.2)
