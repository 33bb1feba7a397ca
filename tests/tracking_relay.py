"""The handlers of tracking with AWS in memory, as in a new environment of Lambda."""

import time
from contextlib import contextmanager

from relay import settings
from relay.tracking import announce, missed_changes, sweep, track, track_messages, wiring
from tests.aws_clients import AwsClients
from tests.parameter_store import ParameterStore
from tests.tracking_aws import Relay
from tests.tracking_dynamo import FakeDynamo
from tests.tracking_queues import URL, FakeQueues, FakeTopic

ENVIRONMENT = {
    "MIRROR_TABLE": "Mirror",
    "STATE_TABLE": "State",
    "QUEUE_URL": URL + "track",
    "TRACK_QUEUE_URL": URL + "track",
    "DEAD_LETTERS_URL": URL + "dead",
    "CHANGES_TOPIC_ARN": "arn:changes",
    "HISTORY_TABLE": "History",
    "HISTORY_DAYS": "0",
    "RECONCILE_DAYS": "7",
    "GRACE_SECONDS": "0",
    "SILENT_HOURS": "6",
    "PARTS": "none",  # tests of parts switch them on
}


@contextmanager
def joined(monkeypatch, portal, **environment):
    """Yield the handlers, joined around a portal, with these variables set instead."""
    dynamo, queues, topic = FakeDynamo(), FakeQueues(), FakeTopic()
    portal.clock = time.time
    ssm = ParameterStore(**{"/relay/test/webhook-urls/read/main": "a URL"})
    clients = AwsClients(dynamodb=dynamo, sqs=queues, sns=topic, ssm=ssm)
    monkeypatch.setattr(settings, "client", clients)  # commands have clients of their own
    for name, value in (ENVIRONMENT | environment).items():
        monkeypatch.setenv(name, value)
    settings.forget()
    wiring.forget()
    for kept in (
        *(track._documents, track._noted, track._single_owners),  # noqa: SLF001
        *(track_messages._failures, missed_changes._last_events),  # noqa: SLF001
    ):
        kept.clear()
    relay = Relay(portal, dynamo, queues, topic, (track, announce, sweep))
    relay.clients = clients
    monkeypatch.setattr(wiring, "portal", lambda *asked: relay.connect(*asked))  # noqa: PLW0108  set later
    yield relay
    wiring.forget()
