"""ops.portals: a connected portal, opened with the stack's own limit."""

from dataclasses import replace

import pytest

from ops.portals import open_portal
from tests.pasts import STACK

LIMIT = {"PortalBurst": "50", "PortalRate": "2", "PortalReservePercent": "10"}
CONNECTED = replace(STACK, outputs={"SecretsPrefix": "/relay/relay"}, parameters=LIMIT)


class Parameters:
    """A Parameter Store with one URL in it."""

    def __init__(self, url):
        self.url = url

    def get_parameters(self, *, Names, WithDecryption):  # noqa: N803
        """Return the URL of portal main."""
        assert WithDecryption
        found = Names == ["/relay/relay/webhook-urls/write/main"]
        return {"Parameters": [{"Value": self.url}] if found else []}


def test_a_portal_is_opened_through_its_writing_webhook():
    """Its requests take slots from the limit that the functions share."""
    url = "https://demo.bitrix24.example/rest/5/s3cr3ts3cr3t/"
    portal = open_portal(Parameters(url), object(), CONNECTED, "main")
    assert (portal.webhook.host, portal.webhook.user_id) == ("demo.bitrix24.example", 5)


def test_a_portal_that_is_not_connected_is_refused():
    """The error names the command that connects it, and no URL."""
    with pytest.raises(
        SystemExit, match="portal second is not connected: `make connect PORTAL=sec"
    ):
        open_portal(Parameters("x"), object(), CONNECTED, "second")
    with pytest.raises(SystemExit, match=r"`make connect PORTAL=main` stores another") as refused:
        open_portal(Parameters("http://demo/rest/5/s3cr3ts3cr3t/"), object(), CONNECTED, "main")
    assert "s3cr3t" not in str(refused.value)
