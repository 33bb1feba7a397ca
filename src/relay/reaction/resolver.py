"""The portals of a batch: their clients, got in threads while records run."""

import asyncio
from collections.abc import Callable, Iterable

from relay import settings
from relay.errors import ConfigurationError, StateError
from relay.portal import Portal
from relay.portal_clients import make_client, shared_slots

PATIENCE_SECONDS = 1.0  # for SSM, before a webhook that was read earlier is used


class PortalResolver:
    """Gets each portal's client in a thread: an SSM that hangs holds up no other's records."""

    def __init__(self, remaining_seconds: Callable[[], float]) -> None:
        self._remaining_seconds = remaining_seconds
        self._clients: dict[str, tuple[str, Portal]] = {}  # by portal, with the webhook's URL
        self._resolving: dict[str, asyncio.Future[Portal]] = {}

    def start(self, names: Iterable[str]) -> None:
        """Begin a batch with the portals of these names, in a running loop."""
        loop = asyncio.get_running_loop()
        self._resolving = {
            name: loop.run_in_executor(None, self.client, name) for name in set(names)
        }

    async def portal(self, name: str) -> Portal:
        """Return a portal's client, an earlier one if SSM does not answer in PATIENCE_SECONDS.

        Raises ConfigurationError without a webhook URL, StateError while SSM does not answer.
        """
        _, last = self._clients.get(name, ("", None))
        resolving = self._resolving[name]
        await asyncio.wait({resolving}, timeout=PATIENCE_SECONDS if last else None)
        return last if last and not resolving.done() else resolving.result()

    async def host(self, name: str) -> str:
        """Return a portal's host, empty where it has no webhook or SSM does not answer."""
        try:
            return (await self.portal(name)).webhook.host
        except (ConfigurationError, StateError):
            return ""

    def client(self, name: str) -> Portal:
        """Return a portal's client, after SSM has answered; a changed webhook makes a new one.

        Raises ConfigurationError if no URL is stored, StateError if SSM fails.
        """
        url = settings.webhook_url("write", name)
        if name not in self._clients or self._clients[name][0] != url:
            self._clients[name] = url, make_client(url, shared_slots(name), self._remaining_seconds)
        return self._clients[name][1]
