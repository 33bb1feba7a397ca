"""A portal behind a fake wire, and a clock that jumps instead of waiting."""

import asyncio
import json
import selectors
import time
from concurrent.futures import Executor, Future
from urllib.parse import unquote_plus

import pytest

from local.portal.references import put_in
from relay.errors import CallError, TransientError
from relay.portal import Webhook, webhook_state
from relay.portal.http import Reply
from relay.portal.webhook_state import WebhookState

SECRET = "s3cr3ts3cr3ts3cr"


class Inline(Executor):
    """Runs at once what others would run in a thread."""

    def submit(self, function, /, *args, **kwargs):
        """Run it."""
        future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  a future keeps whatever it is
            future.set_exception(error)
        return future


class Jumping(selectors.DefaultSelector):
    """Adds the time that a loop would have slept to the clock."""

    clock = None

    def select(self, timeout=None):
        """Poll; nothing to do and no timer means that a test waits for ever."""
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits and nothing will come"
            self.clock.now += max(timeout, 0) + 1e-6
        return ready


class Clock:
    """The time of the test."""

    def __init__(self):
        """Begin at some day."""
        self.now = 1_000_000.0

    def time(self):
        """Return it."""
        return self.now

    def run(self, coroutine):
        """Run a coroutine in an event loop of its own whose time is this one."""

        def make():
            selector = Jumping()
            selector.clock = self
            loop = asyncio.SelectorEventLoop(selector)
            loop.time = self.time
            return loop

        with asyncio.Runner(loop_factory=make) as runner:
            return runner.run(coroutine)


class Wire:
    """A portal's end of the wire.

    `answer` is called for each command and returns its result; what it raises becomes an error.
    `script` lists what happens to the next requests instead: a Reply, an exception, or None for
    the usual. `requests` lists what was asked: (method, body).
    """

    def __init__(self, clock):
        """Answer everything with True until told otherwise."""
        self.clock = clock
        self.requests = []
        self.commands = []
        self.script = []
        self.answer = lambda _method, _params: True
        self.time = {}
        self.seconds = 0.0
        self.asked_at = []
        self.hosts = []

    def post(self, method, url, body, _seconds):
        """Take a request."""
        assert url.startswith("https://")
        body = json.loads(body)
        self.hosts.append(url.split("/")[2])
        self.requests.append((method, body))
        self.asked_at.append(self.clock.now)
        self.clock.now += self.seconds
        planned = self.script.pop(0) if self.script else None
        planned = planned(body) if callable(planned) else planned
        if isinstance(planned, Exception):
            raise planned
        if planned is not None:
            return planned
        if method == "batch":
            return self.batch(body)
        try:
            return reply(result=self.run(method, body), time=self.time)
        except CallError as error:
            return reply(400, error=error.code, error_description=error.description)

    def run(self, method, params):
        """Run one command."""
        self.commands.append((method, params))
        return self.answer(method, params)

    def batch(self, body):
        """Run the commands of a batch as PHP would."""
        results, errors, times = {}, {}, {}
        for key, command in body["cmd"].items():
            method, _, query = command.partition("?")
            named = {"result": results, "total": {}, "next": {}, "time": times, "error": errors}
            try:
                params = put_in(as_json(parse_str(query)) if query else {}, named)
            except TypeError:
                return Reply(500, b"<html>")
            try:
                results[key] = self.run(method, params)
                times[key] = self.time
            except CallError as error:
                errors[key] = {"error": error.code, "error_description": error.description}
                if body["halt"]:
                    break
        sections = {"result": results, "result_error": errors, "result_time": times}
        return reply(result={name: value or [] for name, value in sections.items()}, time=self.time)


class SlowSlots:
    """Gives slots 5 seconds apart, as many as there are."""

    def __init__(self, clock, count=100):
        """Take the clock by which they come."""
        self.clock, self.count, self.last, self.refusals = clock, count, clock.now, 0

    def take(self, _latest):
        """Return the next one."""
        if not self.count:
            raise TransientError("portal", "NO_SLOT", retry_after=30)
        self.count -= 1
        self.last += 5
        return self.last

    def refused(self):
        """Count."""
        self.refusals += 1


def parse_str(query):
    """Read a query as PHP's parse_str does (main/php_variables.c), with all keys as texts."""
    found = {}
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        name, value = unquote_plus(name), unquote_plus(value)
        top, bracket, rest = name.partition("[")
        keys = [top.replace(".", "_").replace(" ", "_")]
        while bracket:
            key, closing, rest = rest.partition("]")
            assert closing
            keys.append(key)
            bracket, rest = rest[:1], rest[1:]
            assert bracket in {"", "["}
        at = found
        for key in keys[:-1]:
            at = at.setdefault(key, {})
        at[keys[-1] or str(len(at))] = value
    return found


def as_json(value):
    """Return PHP arrays with the keys 0, 1, … as lists."""
    if not isinstance(value, dict):
        return value
    found = {key: as_json(item) for key, item in value.items()}
    return list(found.values()) if list(found) == [*map(str, range(len(found)))] else found


def reply(status=200, **answer):
    """Return an HTTP answer with this JSON."""
    return Reply(status, json.dumps(answer).encode())


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that jumps, in place of the real one."""
    made = Clock()
    monkeypatch.setattr(time, "time", made.time)
    monkeypatch.setattr(time, "monotonic", made.time)
    return made


@pytest.fixture
def wire(clock, webhook):
    """Return the portal's end of the wire, to which every Portal of `webhook` is connected."""
    made = Wire(clock)
    webhook_state.set_state(WebhookState(webhook, made, Inline()))
    yield made
    webhook_state.forget()


@pytest.fixture
def webhook():
    """Return a webhook."""
    return Webhook("acme.bitrix24.com", 7, SECRET)
