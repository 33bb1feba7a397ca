"""relay.reaction.resolver: the portals of a batch, whatever SSM does."""

import threading
from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from relay import settings
from relay.errors import ConfigurationError
from relay.event import Event
from relay.portal import Portal
from relay.reaction import reaction
from relay.reaction.deadline import RESERVE_SECONDS
from tests.batches import handle, noting
from tests.samples import change_of, event_of
from tests.unit.reaction.conftest import URLS

CHANGE = change_of()
EVENT = event_of()


@pytest.mark.parametrize(
    ("entity", "number", "path"),
    [
        ("deal", 2, "/crm/deal/details/5/"),
        ("quote", 7, "/crm/type/7/details/5/"),
        ("dynamic_128", 128, "/crm/type/128/details/5/"),
        ("task", None, "/company/personal/user/0/tasks/task/view/5/"),
    ],
)
def test_a_change_has_the_address_of_its_item(portal, entity, number, path):
    """A change that a reaction gets has the address of the item's page; another has none."""
    received = []
    change = replace(CHANGE, entity=entity, entity_type_id=number)
    handle(noting(received), change.to_json())
    assert received[0].portal_url == f"https://main.bitrix24.com{path}"
    assert change.portal_url == ""
    assert not portal.sqs.sent


def test_a_reaction_without_a_portal_needs_no_webhook(written, portal):
    """Without a webhook a reaction that takes no portal runs, and its changes have no address."""

    def missing(*_):
        raise ConfigurationError("no URL")

    written.get = missing
    received = []
    assert handle(noting(received), CHANGE.to_json()) == []
    assert received[0].portal_url == ""
    assert not portal.sqs.sent


def test_a_changed_webhook_makes_a_new_client(sqs):
    """A re-issued webhook is used as soon as it is read; until then the client stays."""
    received = []

    @reaction
    async def note(_event: Event, portal: Portal) -> None:
        """Note the portal."""
        received.append(portal._portal)  # noqa: SLF001  which client is behind it

    handle(note, EVENT.to_json())
    handle(note, EVENT.to_json())
    sqs.ssm.parameters[f"{URLS}/main"] = "https://main.example/rest/1/another1/"
    settings.forget()
    handle(note, EVENT.to_json())
    assert received[0] is received[1]
    assert received[1] is not received[2]
    assert not sqs.sent


def test_secrets_that_can_not_be_read_use_up_no_attempt(sqs, capsys):
    """While SSM is away a record comes back nine times and more, and the log says why."""
    sqs.ssm.error = EndpointConnectionError(endpoint_url="away")

    @reaction
    async def note(_event: Event, _portal: Portal) -> None:
        """Do nothing."""

    for _ in range(9):
        assert handle(note, EVENT.to_json()) == ["m0"]
    assert not sqs.sent
    assert "SSM Parameter Store: Could not connect" in capsys.readouterr().out


def test_a_hanging_ssm_holds_up_one_portal_only(sqs, monkeypatch, capsys):
    """Other portals' records run, the waiting record is not hung, an earlier webhook is used."""
    hangs = threading.Event()

    def url(_kind, name):
        if name == "shop" or received:
            hangs.wait(5)
        return f"https://{name}.example/rest/1/secret/"

    received = []

    @reaction
    async def note(event: Event, _portal: Portal) -> None:
        """Note the portal."""
        received.append(event.portal)

    monkeypatch.setattr(settings, "webhook_url", url)
    monkeypatch.setattr("relay.reaction.resolver.PATIENCE_SECONDS", 0.01)
    shop = replace(EVENT, portal="shop", event_id="shop.contact.7.add").to_json()
    seconds = RESERVE_SECONDS + 0.3
    assert handle(note, shop, EVENT.to_json(), seconds=seconds) == ["m0"]
    # A portal's older webhook is used while the new look at it hangs.
    repeat = replace(EVENT, event_id="main.contact.8.add").to_json()
    assert handle(note, repeat, seconds=seconds) == []
    hangs.set()
    assert received == ["main"] * 2
    assert not sqs.sent
    log = capsys.readouterr().out
    assert "the function's time is over" in log
    assert "HungError" not in log
