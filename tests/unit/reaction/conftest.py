"""A record that is delivered again and again; SQS and the State table behind a reaction."""

from types import SimpleNamespace

import pytest

from relay import state_requests
from relay.portal.fake import FakePortal
from relay.reaction import matching
from tests.batches import Sqs
from tests.parameter_store import ParameterStore
from tests.runs import Deliveries

URLS, PORTALS = "/relay/test/webhook-urls/write", ("main", "shop")


@pytest.fixture
def record(monkeypatch, times):
    """Return a record, in whose tests time can be turned on and nothing pauses for long."""
    record, real = Deliveries(), times.source
    times.source = lambda: real() + record.offset
    monkeypatch.setattr(matching, "QUIET_SECONDS", 0.001)
    monkeypatch.setattr(state_requests, "_pause", lambda _attempt: None)
    return record


@pytest.fixture
def sqs(monkeypatch, aws_clients):
    """Put a made-up SQS and a portal's URL behind the reaction."""
    sqs = Sqs()
    sqs.ssm = ParameterStore(
        **{f"{URLS}/{name}": f"https://{name}.example/rest/1/writesecret/" for name in PORTALS}
    )
    aws_clients.update(sqs=sqs, dynamodb=sqs.table, ssm=sqs.ssm)
    for name, value in {
        "STATE_TABLE": "state",
        "PORTAL_BURST": "50",
        "PORTAL_RATE": "2",
        "PORTAL_RESERVE_PERCENT": "10",
        "QUEUE_URL": "https://sqs/queue",
        "DEAD_LETTERS_URL": "https://sqs/dead",
    }.items():
        monkeypatch.setenv(name, value)
    return sqs


@pytest.fixture
def portal(written, sqs):
    """Return the portal that reactions get, with its `answers` by method and its `sqs`."""
    answers = {}

    def answer(method, params):
        given = answers[method]
        return given(**params) if callable(given) else given

    fake = FakePortal(answer)
    fake.answers = answers
    fake.webhook = SimpleNamespace(host="main.bitrix24.com", user_id=1)
    written.portal = fake
    fake.sqs = sqs
    return fake


@pytest.fixture
def short(monkeypatch):
    """Keep little time for storing, where a test waits for its end."""
    monkeypatch.setattr("relay.reaction.deadline.RESERVE_SECONDS", 0.05)
