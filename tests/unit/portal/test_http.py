"""relay.portal.http: one HTTP request, its errors, and a URL that stays secret."""

import io
import logging
import time

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.response import HTTPResponse

from relay.errors import MayHaveRunError, OperatorError, TransientError
from relay.portal import http
from relay.portal.http import Connection
from tests.portal_wire import SECRET

URL = f"https://acme.bitrix24.com/rest/7/{SECRET}/profile.json"


class Wire(BaseAdapter):
    """Answers instead of a network; an exception is raised."""

    def __init__(self, reply, status=200, headers=None):
        """Take the body, as bytes or a file, or the exception to raise."""
        super().__init__()
        self.reply, self.status, self.headers = reply, status, headers or {}
        self.closed = 0
        self.sent = []

    def send(self, request, **how):
        """Answer a prepared request."""
        self.sent.append((request, how))
        if isinstance(self.reply, Exception):
            raise self.reply
        body = io.BytesIO(self.reply) if isinstance(self.reply, bytes) else self.reply
        raw = HTTPResponse(body, self.headers, self.status, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self):
        """Count how often idle connections were dropped."""
        self.closed += 1


@pytest.fixture
def wired():
    """Return a function that makes a connection whose network answers so."""

    def make(*reply, **more):
        made = Connection()
        made.session.mount("https://", Wire(*reply, **more))
        return made, made.session.get_adapter("https://")

    return make


def test_a_request_goes_out_as_a_json_post(wired):
    """A request is a JSON POST with a user agent and timeouts, and follows no redirect."""
    made, wire = wired(b"{}", 302, headers={"Location": "https://new.bitrix24.com/"})
    reply = made.post("profile", URL, b'{"a": 1}', 9)
    (request, how) = wire.sent[0]
    assert (reply.status, reply.location) == (302, "https://new.bitrix24.com/")
    assert (request.method, request.url, request.body) == ("POST", URL, b'{"a": 1}')
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("bitrix24-relay/")
    assert how["timeout"] == (3.05, 9)


def test_the_portals_cookies_are_not_kept(wired):
    """A cookie of the portal is not stored."""
    made, _ = wired(b"{}", headers={"Set-Cookie": "PHPSESSID=1"})
    made.post("profile", URL, b"{}")
    assert not made.session.cookies


REASON = NewConnectionError(None, f"refused {URL}")


SLOW = ConnectTimeoutError(None, URL)


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        (requests.ConnectTimeout(MaxRetryError(None, URL, SLOW)), TransientError, "NOT_CONNECTED"),
        (
            requests.ConnectionError(MaxRetryError(None, URL, REASON)),
            TransientError,
            "NOT_CONNECTED: NewConnectionError",
        ),
        (requests.exceptions.ProxyError(URL), TransientError, "NOT_CONNECTED: ProxyError"),
        (requests.exceptions.SSLError(URL), MayHaveRunError, "NO_ANSWER: SSLError"),
        (
            requests.exceptions.SSLError(f"CERTIFICATE_VERIFY_FAILED {URL}"),
            OperatorError,
            "BAD_CERTIFICATE",
        ),
        (requests.ReadTimeout(URL), MayHaveRunError, "TIMEOUT: ReadTimeout"),
        (
            requests.ConnectionError(ProtocolError("Connection aborted", URL)),
            MayHaveRunError,
            "NO_ANSWER: ConnectionError",
        ),
        (requests.ConnectionError(), MayHaveRunError, "NO_ANSWER: ConnectionError"),
    ],
)
def test_a_failed_request_says_whether_it_may_have_run(wired, fault, kind, text):
    """A fault before the connection never ran, a later one may have run; no error has the URL."""
    made, _ = wired(fault)
    with pytest.raises(kind, match=text) as caught:
        made.post("crm.deal.add", URL, b"{}")
    assert type(caught.value) is kind
    assert SECRET not in repr(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


class Body(io.BufferedIOBase):
    """A body that breaks off, drips, or never ends."""

    def __init__(self, *parts):
        """Take the parts that are read; an exception among them is raised."""
        self.parts = list(parts)

    def read1(self, _size):
        """Return the next part of any size."""
        part = self.parts.pop(0) if self.parts else b""
        if isinstance(part, Exception):
            raise part
        return part


def test_a_body_that_breaks_off_may_have_run(wired):
    """A reset or a timeout in the body raises MayHaveRunError without the URL."""
    for fault, code in (
        (ConnectionResetError(), "NO_ANSWER"),
        (ReadTimeoutError(None, URL, "slow"), "TIMEOUT"),
    ):
        made, _ = wired(Body(b'{"result"', fault))
        with pytest.raises(MayHaveRunError, match=code) as caught:
            made.post("crm.deal.add", URL, b"{}")
        assert SECRET not in repr(caught.value)


def test_a_body_that_comes_too_slowly_ends_with_the_time(wired, monkeypatch):
    """A body that still comes after `seconds` raises MayHaveRunError, however short its gaps."""
    ticks = iter([0.0, 5.0, 11.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    made, _ = wired(Body(b"a", b"b", b"c"))
    with pytest.raises(MayHaveRunError, match="did not end in time"):
        made.post("crm.deal.add", URL, b"{}", 10)


def test_an_answer_that_would_fill_the_memory_is_refused(wired, monkeypatch):
    """Reading stops at MAX_ANSWER_BYTES, and the error advises to select fewer fields."""
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 100_000)
    made, _ = wired(b"x" * 200_000)
    with pytest.raises(MayHaveRunError, match=r"ANSWER_TOO_LARGE: .*select fewer fields"):
        made.post("crm.deal.list", URL, b"{}")


def test_a_connection_that_was_idle_is_not_used_again(wired, monkeypatch):
    """Connections are closed after more than 5 s without a request."""
    made, wire = wired(b"{}")
    now = time.time()
    for later in (1, 2, 20, 21):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        made.post("profile", URL, b"{}")
    assert wire.closed == 1


def test_urllib3_logs_no_secret(caplog):
    """DEBUG lines of urllib3 have `***` in place of user and secret."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug(
        '%s "%s %s"', "https://acme", "POST", f"/rest/7/{SECRET}/profile.json"
    )
    logging.getLogger("urllib3.util.retry").debug("Incremented Retry for (url='%s')", URL)
    assert SECRET not in caplog.text
    assert caplog.text.count("/rest/***/***/profile.json") == 2
