"""relay.portal_clients: the slots that a function of the stack takes are in the State table."""

import boto3
from moto import mock_aws

from relay import settings
from relay.portal_clients import shared_slots


def test_the_limit_of_a_portal_is_kept_in_the_state_table(monkeypatch):
    """A refused request is counted in the row of its portal, which all functions read."""
    for name, value in {"BURST": "250", "RATE": "5", "RESERVE_PERCENT": "20"}.items():
        monkeypatch.setenv(f"PORTAL_{name}", value)
    monkeypatch.setenv("STATE_TABLE", "state")
    settings.forget()
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        dynamodb.create_table(
            TableName="state",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        shared_slots("main").refused()
        row = dynamodb.get_item(TableName="state", Key={"pk": {"S": "slots#main"}})["Item"]
    settings.forget()
    assert row["refused"] == {"N": "1"}
