"""The far end of the client's wire."""

import json
from concurrent.futures import Executor, Future
from urllib.parse import unquote_plus

import pytest

from local.portal.references import put_in
from relay.errors import CallError, MayHaveRunError, TransientError
from relay.portal.http import NO_ANSWER, Reply

SECRET = "s3cr3ts3cr3ts3cr"
READ, WRITE = "crm.item.get", "crm.item.add"
HTML = Reply(200, b"<html>")
LOST = MayHaveRunError("batch", NO_ANSWER, "ConnectionError")


class Inline(Executor):
    """Stands for a thread pool: runs each function at once."""

    def submit(self, function, /, *args, **kwargs):
        """Return the finished future of a function."""
        future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  a future holds any exception
            future.set_exception(error)
        return future


class Wire:
    """A portal, in place of the client's HTTP connection.

    `answer`, a function of method and parameters, returns the result of each command or raises its
    error. `script` lists what the next requests get instead: a Reply, an exception, a function of
    the body that returns one, or None for `answer`. `seconds` is the duration of each request.
    Recorded are `requests` [(method, body)] with `asked_at` and `hosts`, and `commands` [(method,
    parameters)], those inside of batches too.
    """

    def __init__(self, clock):
        """Begin with an `answer` of True to every command."""
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
        """Return the HTTP answer of a request."""
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
        """Record a command and return its result."""
        self.commands.append((method, params))
        return self.answer(method, params)

    def batch(self, body):
        """Return the HTTP answer of a batch, whose commands run like in PHP."""
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
    """Slots 5 seconds apart, of which there are `count`."""

    def __init__(self, clock, count=100):
        """Begin 5 seconds after now."""
        self.count, self.last, self.refusals = count, clock.now, 0

    def take(self, _latest):
        """Return the next slot."""
        if not self.count:
            raise TransientError("portal", "NO_SLOT", retry_after=30)
        self.count -= 1
        self.last += 5
        return self.last

    def refused(self):
        """Count a refusal."""
        self.refusals += 1


def parse_str(query):
    """Return the parameters that PHP's parse_str reads (main/php_variables.c), keys as texts."""
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
    """Return PHP arrays with lists in place of those with the keys 0, 1, …."""
    if not isinstance(value, dict):
        return value
    found = {key: as_json(item) for key, item in value.items()}
    return list(found.values()) if list(found) == [*map(str, range(len(found)))] else found


def reply(status=200, **answer):
    """Return an HTTP answer with a JSON object of these members."""
    return Reply(status, json.dumps(answer).encode())


def refuse(status, code, description=""):
    """Return the portal's HTTP answer with an error."""
    return reply(status, error=code, error_description=description)


RATE = refuse(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")


def raised(clock, portal, method=READ, kind=Exception):
    """Return the error of exactly this kind that a call raises."""
    with pytest.raises(kind) as caught:
        clock.run(portal.call(method, id=1))
    assert type(caught.value) is kind
    return caught.value


def commands_of(body):
    """Return [(method, parameters)] of a batch's body."""
    commands = (command.partition("?") for command in body["cmd"].values())
    return [(method, parse_str(query)) for method, _, query in commands]
