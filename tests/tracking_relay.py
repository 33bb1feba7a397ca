"""The handlers of tracking with AWS in memory, as in a new environment of Lambda."""

import time
from contextlib import contextmanager

from relay import settings
from relay.tracking import announce, missed_changes, sweep, track, track_messages, wiring
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
    clients = {"dynamodb": dynamo, "sqs": queues, "sns": topic}
    monkeypatch.setattr(settings, "client", lambda name, **_: clients[name])
    monkeypatch.setattr(settings, "secrets", lambda _branch: {"main": "a URL"})
    monkeypatch.setattr(wiring, "portal", lambda _name, _remaining: portal)
    for name, value in (ENVIRONMENT | environment).items():
        monkeypatch.setenv(name, value)
    wiring.forget()
    for kept in (
        *(track._documents, track._noted, track._single_owners),  # noqa: SLF001
        *(track_messages._failures, missed_changes._last_events),  # noqa: SLF001
    ):
        kept.clear()
    yield Relay(portal, dynamo, queues, topic, (track, announce, sweep))
    wiring.forget()
