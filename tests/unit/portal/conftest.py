"""A webhook whose portal is a Wire, with a clock that jumps instead of waiting."""

import pytest

from relay.portal import Webhook, webhook_state
from relay.portal.webhook_state import WebhookState
from tests.portal_wire import SECRET, Inline, Wire


@pytest.fixture
def wire(clock, webhook):
    """Return the portal to which every Portal of `webhook` is connected."""
    made = Wire(clock)
    webhook_state.states[webhook] = WebhookState(webhook, made, Inline())
    yield made
    webhook_state.forget()


@pytest.fixture
def webhook():
    """Return the webhook of a cloud portal."""
    return Webhook("acme.bitrix24.com", 7, SECRET)
