"""The portals of a batch: their clients, got in threads while records run."""

import asyncio
from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from relay.errors import ConfigurationError, StateError
from relay.portal import Portal
from relay.portal_clients import PortalClients

PATIENCE_SECONDS = 1.0  # for SSM, before a webhook that was read earlier is used


class PortalResolver:
    """Gets each portal's client in a thread: an SSM that hangs holds up no other's records."""

    def __init__(self, clients: PortalClients) -> None:
        self._clients = clients
        # By portal: the client of an earlier batch, and the one that is being got.
        self._resolving: dict[str, tuple[Portal | None, asyncio.Future[Portal]]] = {}

    def start(self, names: Iterable[str]) -> None:
        """Begin a batch with the portals of these names, in a running loop."""
        loop = asyncio.get_running_loop()
        self._resolving = {
            name: (self._clients.last(name), loop.run_in_executor(None, self._get, name))
            for name in set(names)
        }

    async def portal(self, name: str) -> Portal:
        """Return a portal's client, an earlier one if SSM does not answer in PATIENCE_SECONDS.

        Raises ConfigurationError without a webhook URL, StateError while SSM does not answer.
        """
        last, resolving = self._resolving[name]
        await asyncio.wait({resolving}, timeout=PATIENCE_SECONDS if last else None)
        return last if last and not resolving.done() else resolving.result()

    async def host(self, name: str) -> str:
        """Return a portal's host, empty where it has no webhook or SSM does not answer."""
        try:
            return (await self.portal(name)).webhook.host
        except (ConfigurationError, StateError):
            return ""

    def _get(self, name: str) -> Portal:
        try:
            return self._clients.get(name)
        except (BotoCoreError, ClientError) as trouble:
            raise StateError(f"SSM Parameter Store: {trouble}") from trouble
