"""The handlers of tracking with AWS and the portal in memory."""

import time

import pytest

from relay import settings
from relay.tracking import announce, missed_changes, sweep, track, track_messages, wiring
from tests.parts_portal import PartsPortal
from tests.tracking_aws import Relay
from tests.tracking_dynamo import FakeDynamo
from tests.tracking_portal import ItemsPortal
from tests.tracking_queues import URL, FakeQueues, FakeTopic


@pytest.fixture
def relay(monkeypatch):
    """Return the handlers, joined."""
    dynamo, queues, topic, portal = FakeDynamo(), FakeQueues(), FakeTopic(), ItemsPortal()
    portal.clock = time.time
    clients = {"dynamodb": dynamo, "sqs": queues, "sns": topic}
    monkeypatch.setattr(settings, "client", lambda name, **_: clients[name])
    monkeypatch.setattr(settings, "secrets", lambda _branch: {"main": "a URL"})
    monkeypatch.setattr(wiring, "portal", lambda _name, _remaining: portal)
    for name, value in {
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
    }.items():
        monkeypatch.setenv(name, value)
    wiring.forget()
    track._documents.clear()  # noqa: SLF001  as in a new environment
    track._noted.clear()  # noqa: SLF001
    track_messages._failures.clear()  # noqa: SLF001  as in a new environment
    track._single_owners.clear()  # noqa: SLF001  as in a new environment
    missed_changes._last_events.clear()  # noqa: SLF001  as in a new environment
    yield Relay(portal, dynamo, queues, topic, (track, announce, sweep))
    wiring.forget()


@pytest.fixture
def whole(relay, monkeypatch):
    """Return the handlers, joined, with a portal of parts and all parts switched on."""
    relay.portal = PartsPortal()
    relay.portal.clock = time.time
    monkeypatch.setattr(wiring, "portal", lambda _name, _remaining: relay.portal)
    monkeypatch.setenv("PARTS", "steps,products")
    return relay
