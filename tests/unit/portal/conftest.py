"""A webhook whose portal is a Wire, with a clock that jumps instead of waiting."""

import time

import boto3
import pytest
from moto import mock_aws

from relay.portal import Webhook, webhook_state
from relay.portal.webhook_state import WebhookState
from tests.portal_slots import Counting
from tests.portal_wire import SECRET, Clock, Inline, Wire


@pytest.fixture
def clock(monkeypatch):
    """Return a clock in place of the real one, also for event loops."""
    made = Clock()
    monkeypatch.setattr(time, "time", made.time)
    monkeypatch.setattr(time, "monotonic", made.time)
    return made


@pytest.fixture
def wire(clock, webhook):
    """Return the portal to which every Portal of `webhook` is connected."""
    made = Wire(clock)
    webhook_state.set_state(WebhookState(webhook, made, Inline()))
    yield made
    webhook_state.forget()


@pytest.fixture
def webhook():
    """Return the webhook of a cloud portal."""
    return Webhook("acme.bitrix24.com", 7, SECRET)


@pytest.fixture(scope="module")
def dynamodb():
    """Return a DynamoDB client, with a table for slots."""
    with mock_aws():
        client = boto3.client("dynamodb", "eu-central-1")
        client.create_table(
            TableName="limits",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture
def table(clock, dynamodb):
    """Return the client with an empty table, on the test's clock."""
    assert clock
    dynamodb.delete_item(TableName="limits", Key={"pk": {"S": "slots#main"}})
    return Counting(dynamodb)
