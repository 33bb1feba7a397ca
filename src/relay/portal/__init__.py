"""A Bitrix24 portal through its incoming webhook."""

from relay.portal.api import PortalApi
from relay.portal.client import Portal
from relay.portal.references import Text
from relay.portal.webhook import Webhook

__all__ = ["Portal", "PortalApi", "Text", "Webhook"]
