"""One portal through its incoming webhook: `await portal.call("crm.item.get", …)`."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from relay.errors import TransientError
from relay.portal.answers import read_answer
from relay.portal.connection import READ_SECONDS, THREADS, connection
from relay.portal.webhook import Webhook

LEAST_SECONDS = 1.0  # with less than this left a request is not begun
_threads = ThreadPoolExecutor(THREADS, "portal")


class Portal:
    """What can be asked of a portal; `remaining_seconds` says how long the function may take."""

    def __init__(
        self, webhook: Webhook, *, remaining_seconds: Callable[[], float] | None = None
    ) -> None:
        self.webhook = webhook
        self._remaining = remaining_seconds or (lambda: READ_SECONDS)

    async def call(self, method: str, /, **params: Any) -> Any:
        """Return the `result` of a REST method; raises a PortalError."""
        seconds = min(self._remaining(), READ_SECONDS)
        if seconds < LEAST_SECONDS:
            raise TransientError(method, "NO_TIME", "too little time left", retry_after=0)
        body = json.dumps(params).encode()
        url = self.webhook.url(method)
        loop = asyncio.get_running_loop()
        reply = await loop.run_in_executor(_threads, connection.post, method, url, body, seconds)
        return read_answer(method, reply.status, reply.body).result
