"""One HTTP request to a portal: its answer, or an error. The only file that imports `requests`.

The process has one session: connections stay open between calls and are shared by threads.
"""

import logging
import re
import threading
import time
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

from relay.errors import CallError, MayHaveRunError, OperatorError, TransientError

THREADS = 8  # of a webhook: requests under way at the same time; the pool keeps 8 connections
CONNECT_SECONDS = 3.05
READ_SECONDS = 65.0  # the cloud cuts a request off after 60 s (rest-protocol section 4)
PART_BYTES = 65_536
MAX_ANSWER_BYTES = 32_000_000  # 2,500 wide items are 10 MB; a function has 256 MB or so
# A frozen function does not see that the portal closed a connection. A call on a closed connection
# ends as MayHaveRunError.
IDLE_SECONDS = 5.0
NOT_CONNECTED = "NOT_CONNECTED"
NO_ANSWER = "NO_ANSWER"
TIMEOUT = "TIMEOUT"
ANSWER_TOO_LARGE = "ANSWER_TOO_LARGE"
_CREDENTIAL = re.compile(r"(/rest/(?:api/)?)\d+/[^/\s\"'?]+")


def hide_credential(record: logging.LogRecord) -> bool:
    """Mask a webhook's user and secret in a log record; urllib3 logs each path at DEBUG."""
    record.msg = _CREDENTIAL.sub(r"\1***/***", record.getMessage())
    record.args = ()
    return True


for _logger in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_logger).addFilter(hide_credential)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; `location` is the target of a redirect, else empty."""

    status: int
    body: bytes | bytearray
    location: str = ""


class _HttpsConnection(HTTPSConnection):
    """Tells a fault before the request was sent, in the TLS handshake, from a later one."""

    def connect(self) -> None:
        """Connect; raises NewConnectionError for every fault of a socket or of TLS."""
        try:
            super().connect()
        except OSError as fault:
            raise NewConnectionError(self, f"no TLS connection: {fault}") from fault


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class Connection:
    """An HTTP session that closes connections which were idle for IDLE_SECONDS. Thread-safe."""

    def __init__(self) -> None:
        self.session = requests.Session()
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=THREADS, max_retries=0)
        adapter.poolmanager.pool_classes_by_scheme = {
            "http": HTTPConnectionPool,
            "https": _HttpsPool,
        }
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)
        self.session.headers.update(
            {
                "User-Agent": "bitrix24-relay/0.1",
                "Accept": "application/json",
                "Content-Type": "application/json",
            }
        )
        # No cookies: PHP runs the requests of one session one after the other.
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._lock = threading.Lock()
        self._used_at = time.time()  # not monotonic: that stands still while a function is frozen

    def post(self, method: str, url: str, body: bytes, seconds: float = READ_SECONDS) -> Reply:
        """Send a JSON body and return the answer within about `seconds`.

        Raises TransientError if nothing was sent, OperatorError for a bad certificate, and
        MayHaveRunError if the answer was lost. No error contains the URL.
        """
        self._close_idle()
        try:
            return self._post(method, url, body, seconds)
        except (requests.RequestException, HTTPError, OSError) as fault:
            error = _error_of(method, fault)
        finally:
            self._used_at = time.time()
        # Raised outside of `except`: the error of requests contains the URL and would be attached.
        raise error

    def _close_idle(self) -> None:
        with self._lock:
            if time.time() - self._used_at > IDLE_SECONDS:
                self.session.close()
            self._used_at = time.time()

    def _post(self, method: str, url: str, body: bytes, seconds: float) -> Reply:
        ends_at = time.monotonic() + seconds
        body_read = bytearray()
        with self.session.post(
            url,
            data=body,
            timeout=(min(CONNECT_SECONDS, seconds), seconds),
            allow_redirects=False,
            stream=True,
        ) as answer:
            # iter_content would wait until a part is full, however slowly the body comes.
            while part := answer.raw.read1(PART_BYTES, decode_content=True):
                body_read += part
                if len(body_read) > MAX_ANSWER_BYTES:
                    limit = f"over {MAX_ANSWER_BYTES} bytes; select fewer fields"
                    raise MayHaveRunError(method, ANSWER_TOO_LARGE, limit)
                if time.monotonic() > ends_at:
                    raise MayHaveRunError(method, TIMEOUT, "its body did not end in time")
            location = answer.headers.get("Location", "")
            return Reply(answer.status_code, body_read, location)


def _error_of(method: str, fault: Exception) -> CallError:
    """Return the CallError of a fault of requests or urllib3; the fault's text has the URL."""
    if "CERTIFICATE_VERIFY_FAILED" in str(fault):
        return OperatorError(method, "BAD_CERTIFICATE", "the portal's certificate is not valid")
    reason = getattr(fault.args[0] if fault.args else None, "reason", None)
    if isinstance(fault, requests.exceptions.ProxyError) or isinstance(
        reason, NewConnectionError | ConnectTimeoutError
    ):
        return TransientError(method, NOT_CONNECTED, type(reason or fault).__name__)
    timed_out = isinstance(fault, requests.Timeout | ReadTimeoutError)
    return MayHaveRunError(method, TIMEOUT if timed_out else NO_ANSWER, type(fault).__name__)


CONNECTION = Connection()
