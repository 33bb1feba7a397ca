"""relay.reaction.resolver: the portals of a batch, whatever SSM does."""

import threading
from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from relay import settings
from relay.errors import ConfigurationError
from relay.event import Event
from relay.portal import Portal
from relay.portal_clients import PortalClients
from relay.reaction import reaction
from relay.reaction.deadline import RESERVE_SECONDS
from tests.batches import handle, noting
from tests.samples import change_of, event_of

CHANGE = change_of()
EVENT = event_of()
SOON = RESERVE_SECONDS + 0.1


@pytest.mark.parametrize(
    ("entity", "number", "path"),
    [
        ("deal", 2, "/crm/deal/details/5/"),
        ("quote", 7, "/crm/type/7/details/5/"),
        ("dynamic_128", 128, "/crm/type/128/details/5/"),
        ("task", None, "/company/personal/user/0/tasks/task/view/5/"),
    ],
)
def test_a_change_knows_its_items_page(portal, entity, number, path):
    """For a message to a person; a change that no reaction got knows no host."""
    seen = []
    change = replace(CHANGE, entity=entity, entity_type_id=number)
    handle(noting(seen), change.to_json())
    assert seen[0].portal_url == f"https://main.bitrix24.com{path}"
    assert change.portal_url == ""
    assert not portal.sqs.sent


def test_a_reaction_without_a_portal_needs_no_webhook(monkeypatch, portal):
    """Its changes have no address then."""

    def missing(*_):
        raise ConfigurationError("no URL")

    monkeypatch.setattr(PortalClients, "get", missing)
    seen = []
    assert handle(noting(seen), CHANGE.to_json()) == []
    assert seen[0].portal_url == ""
    assert not portal.sqs.sent


def test_a_changed_webhook_makes_a_new_client(sqs, monkeypatch):
    """A re-issued webhook is used as soon as it has been read."""
    seen = []

    @reaction
    async def note(_event: Event, portal: Portal) -> None:
        """Note the portal."""
        seen.append(portal._portal)  # noqa: SLF001  which client is behind it

    handle(note, EVENT.to_json())
    handle(note, EVENT.to_json())
    monkeypatch.setattr(settings, "webhook_url", lambda *_: "https://main.example/rest/1/another1/")
    handle(note, EVENT.to_json())
    assert seen[0] is seen[1]
    assert seen[1] is not seen[2]
    assert not sqs.sent


def test_secrets_that_can_not_be_read_use_up_no_attempt(sqs, monkeypatch, capsys):
    """An hour without SSM dead-letters nothing: the reaction has not even begun."""

    def down(*_):
        raise EndpointConnectionError(endpoint_url="https://ssm")

    monkeypatch.setattr(settings, "webhook_url", down)

    @reaction
    async def note(_event: Event, _portal: Portal) -> None:
        """Do nothing."""

    for _ in range(9):
        assert handle(note, EVENT.to_json()) == ["m0"]
    assert not sqs.sent
    assert "SSM Parameter Store: Could not connect" in capsys.readouterr().out


def test_a_hanging_ssm_holds_up_only_the_portal_that_it_hides(sqs, monkeypatch, capsys):
    """Others' records are done, and the one that waits for its secret is no hung reaction."""
    hangs = threading.Event()

    def url(_kind, name):
        if name == "shop" or seen:
            hangs.wait(5)
        return f"https://{name}.example/rest/1/secret/"

    seen = []

    @reaction
    async def note(event: Event, _portal: Portal) -> None:
        """Note the portal."""
        seen.append(event.portal)

    monkeypatch.setattr(settings, "webhook_url", url)
    monkeypatch.setattr("relay.reaction.resolver.PATIENCE_SECONDS", 0.01)
    shop = replace(EVENT, portal="shop", event_id="shop.contact.7.add").to_json()
    seconds = RESERVE_SECONDS + 0.3
    assert handle(note, shop, EVENT.to_json(), seconds=seconds) == ["m0"]
    # A portal's older webhook is used while the new look at it hangs.
    again = replace(EVENT, event_id="main.contact.8.add").to_json()
    assert handle(note, again, seconds=seconds) == []
    hangs.set()
    assert seen == ["main"] * 2
    assert not sqs.sent
    log = capsys.readouterr().out
    assert "the function's time is over" in log
    assert "HungError" not in log
