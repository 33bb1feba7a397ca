"""Ingress and republish with made-up services around them."""

import pytest

from tests.ingress_aws import DEAD, SPILL, TOPIC, IngressAws
from tests.robots import SECRET


@pytest.fixture
def aws(monkeypatch, aws_clients):
    """Return services that work, a fresh cache of tokens and a clock that stands."""
    aws_clients.every = aws = IngressAws()
    for name, value in {
        "EVENTS_TOPIC_ARN": TOPIC,
        "SPILL_QUEUE_URL": SPILL,
        "QUEUE_URL": SPILL,
        "DEAD_LETTERS_URL": DEAD,
    }.items():
        monkeypatch.setenv(name, value)
    return aws


@pytest.fixture
def portal(aws):
    """Return the services with a secret of portal main and one of portal shop."""
    aws.secrets = {"main": f"old\n{SECRET}\n", "shop": "shopsecret"}
    return aws
