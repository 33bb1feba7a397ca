"""The queue service that carries events to handlers: one attempt, no retry [events/index.md]."""

import asyncio
import contextlib
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any
from urllib.parse import urlsplit

from local.portal.php import build_query
from local.portal.settings import EventSettings
from local.portal.webhooks import OutgoingWebhook

_MAX_PENALTY_SECONDS = 60.0
_KEPT = 1000


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@dataclass(slots=True)
class Delivery:
    """One event on its way to one handler."""

    number: int
    webhook: OutgoingWebhook
    event: str
    subject: str
    fields: Callable[[], dict[str, Any]]  # built when it is sent: `ts` is the time of sending
    outcome: str = "queued"
    seconds: float = 0.0
    body: str = ""


@dataclass(slots=True)
class Outbox:
    """Deliveries that wait, are under way, or are over. Without a loop they only pile up."""

    settings: EventSettings
    report: Callable[[Delivery], None] = lambda _delivery: None
    dice: Random = field(default_factory=Random)
    waiting: deque[Delivery] = field(default_factory=deque)
    done: deque[Delivery] = field(default_factory=lambda: deque(maxlen=_KEPT))
    loop: asyncio.AbstractEventLoop | None = None
    held: list[Delivery] | None = None  # a list while everything is held back
    sent: int = 0
    _open: int = 0
    _timed: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def put(self, delivery: Delivery) -> None:
        """Queue a delivery; called from any thread."""
        copies = 1
        if self.dice.random() < self.settings.loss:
            copies = 0
            delivery.outcome = "lost"
            self._finish(delivery)
        elif self.dice.random() < self.settings.doubling:
            copies = 2
        for _ in range(copies):
            delay = self._delay(delivery)
            if self.held is not None:
                self.held.append(delivery)
            elif self.loop is None:
                self.waiting.append(delivery)
            else:
                self.loop.call_soon_threadsafe(self._schedule, delivery, delay)

    def release(self, order: str = "given") -> int:
        """Let go what was held: as given, in reverse, or by the numbers of `order`, as `3,1,2`.

        Numbers that are left out are lost, numbers named twice come twice.
        """
        held, self.held = self.held or [], None
        if order == "reverse":
            held.reverse()
        elif order != "given":
            held = [held[int(part) - 1] for part in order.split(",") if part.strip()]
        for delivery in held:
            if self.loop is None:
                self.waiting.append(delivery)
            else:
                self.loop.call_soon_threadsafe(self._schedule, delivery, 0.0)
        return len(held)

    def _delay(self, delivery: Delivery) -> float:
        delay = self.settings.delay_seconds
        if self.dice.random() < self.settings.reordering:
            delay += self.dice.random() * self.settings.reordering_seconds
        if delivery.webhook.slow_answers:
            penalty = self.settings.slow_penalty_seconds * 2 ** (delivery.webhook.slow_answers - 1)
            delay += min(penalty, _MAX_PENALTY_SECONDS)
        return delay

    def _schedule(self, delivery: Delivery, delay: float) -> None:
        self._timed += 1
        if self.loop is not None:
            self.loop.call_later(delay, self._enqueue, delivery)

    def _enqueue(self, delivery: Delivery) -> None:
        self._timed -= 1
        self.waiting.append(delivery)
        self._pump()

    def _pump(self) -> None:
        while self.waiting and self._open < self.settings.parallel and self.loop is not None:
            self._open += 1
            task = self.loop.create_task(self._deliver(self.waiting.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery) -> None:
        started = time.monotonic()
        try:
            delivery.body = build_query(delivery.fields())
            status = await asyncio.wait_for(
                self._post(delivery.webhook.url, delivery.body), self.settings.timeout_seconds
            )
            delivery.outcome = str(status)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            delivery.outcome = type(error).__name__
        finally:
            self._open -= 1
        delivery.seconds = time.monotonic() - started
        slow = delivery.seconds > self.settings.slow_seconds
        delivery.webhook.slow_answers = delivery.webhook.slow_answers + 1 if slow else 0
        self._finish(delivery)
        self._pump()

    def _finish(self, delivery: Delivery) -> None:
        self.sent += delivery.outcome != "lost"
        self.done.append(delivery)
        self.report(delivery)

    async def _post(self, url: str, body: str) -> int:
        """POST over a connection of its own; a self-signed certificate is refused."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port or (443 if secure else 80), ssl=_tls() if secure else None
        )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        payload = body.encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
            "User-Agent: Bitrix24 Webhook Engine\r\nAccept: */*\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
        )
        try:
            writer.write(head.encode("ascii") + payload)
            await writer.drain()
            line = await reader.readuntil(b"\r\n")
            return int(line.split(b" ", 2)[1])
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not (self.waiting or self._open or self._timed)

    async def close(self) -> None:
        """End what is under way."""
        self.loop = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
