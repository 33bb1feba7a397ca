"""A call goes to its webhook and comes back as a result or an error."""

import asyncio
import json

import pytest

from relay.errors import OperatorError, TransientError
from relay.portal import Portal, Webhook, client
from relay.portal.connection import Reply

WEBHOOK = Webhook("acme.bitrix24.com", 7, "s3cr3ts3cr3ts3cr")


@pytest.fixture
def answer(monkeypatch):
    """Return the function that sets what the portal answers; returns what it was asked."""

    def prepare(status, said):
        asked = []

        def post(method, url, body, seconds):
            asked.append((method, url, json.loads(body), seconds))
            return Reply(status, json.dumps(said).encode())

        monkeypatch.setattr(client.connection, "post", post)
        return asked

    return prepare


def test_a_call_returns_the_result_alone(answer):
    """Parameters travel as JSON; the time it may take is the function's."""
    asked = answer(200, {"result": {"item": {"id": 5}}, "time": {}})
    portal = Portal(WEBHOOK, remaining_seconds=lambda: 9)
    assert asyncio.run(portal.call("crm.item.get", entityTypeId=2, id=5)) == {"item": {"id": 5}}
    assert asked == [("crm.item.get", WEBHOOK.url("crm.item.get"), {"entityTypeId": 2, "id": 5}, 9)]


def test_an_error_raises_its_class(answer):
    """The code decides."""
    answer(401, {"error": "NO_AUTH_FOUND", "error_description": "Wrong authorization data"})
    with pytest.raises(OperatorError):
        asyncio.run(Portal(WEBHOOK).call("profile"))


def test_a_call_is_not_begun_when_the_time_is_over(answer):
    """It can come back at once: nothing ran."""
    asked = answer(200, {"result": True})
    with pytest.raises(TransientError, match="NO_TIME") as caught:
        asyncio.run(Portal(WEBHOOK, remaining_seconds=lambda: 0.5).call("profile"))
    assert caught.value.retry_after == 0
    assert asked == []
