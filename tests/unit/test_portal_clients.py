"""relay.portal_clients: a portal's client, with the pace of the stack."""

import pytest

from relay.errors import ConfigurationError
from relay.portal.slots import OwnSlots, Pace
from relay.portal_clients import make_client, stack_pace

URL = "http://127.0.0.1:8024/rest/1/writesecret/"


def test_plain_http_needs_the_setting_allow_http(monkeypatch):
    """A webhook URL without TLS is refused unless ALLOW_HTTP is true."""
    with pytest.raises(ConfigurationError, match="https"):
        make_client(URL, OwnSlots(Pace()), lambda: 60.0)
    monkeypatch.setenv("ALLOW_HTTP", "true")
    assert make_client(URL, OwnSlots(Pace()), lambda: 60.0).webhook.scheme == "http"


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
