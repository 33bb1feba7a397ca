"""The handlers of tracking with AWS and the portal in memory."""

import time

import pytest

from tests.parts_portal import PartsPortal
from tests.tracking_portal import ItemsPortal
from tests.tracking_relay import joined


@pytest.fixture
def relay(monkeypatch):
    """Return the handlers, joined."""
    with joined(monkeypatch, ItemsPortal()) as relay:
        yield relay


@pytest.fixture
def whole(relay, monkeypatch):
    """Return the handlers, joined, with a portal of parts and all parts switched on."""
    relay.portal = PartsPortal()
    relay.portal.clock = time.time
    monkeypatch.setenv("PARTS", "steps,products")
    return relay
