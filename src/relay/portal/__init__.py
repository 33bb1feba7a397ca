"""A Bitrix24 portal through its incoming webhook."""

from relay.portal.client import Portal
from relay.portal.webhook import Webhook

__all__ = ["Portal", "Webhook"]
