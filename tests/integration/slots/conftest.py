"""A table for slots, on a clock that jumps instead of waiting."""

import boto3
import pytest
from moto import mock_aws

from tests.portal_slots import Counting


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
