"""One HTTP request to a portal, and what became of it. The only file that knows `requests`.

One session a process: connections are kept alive between calls and shared by threads.
"""

import logging
import re
import threading
import time
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

from relay.errors import CallError, MayHaveRunError, OperatorError, TransientError

THREADS = 8  # requests under way at the same time; the pool keeps as many connections
CONNECT_SECONDS = 3.05
READ_SECONDS = 65.0  # the cloud cuts a request off after 60 s (rest-protocol section 4)
PART_BYTES = 65_536
MAX_ANSWER_BYTES = 32_000_000  # 2,500 wide items are 10 MB; a function has 256 MB or so
# A frozen function does not see the portal close a connection; a call on such a one "may have run".
IDLE_SECONDS = 5.0
NOT_CONNECTED = "NOT_CONNECTED"
NO_ANSWER = "NO_ANSWER"
TIMEOUT = "TIMEOUT"
ANSWER_TOO_LARGE = "ANSWER_TOO_LARGE"
_CREDENTIAL = re.compile(r"(/rest/(?:api/)?)\d+/[^/\s\"'?]+")


def hide_credential(record: logging.LogRecord) -> bool:
    """Take a webhook's user and secret out of a log record: urllib3 logs each path at DEBUG."""
    record.msg = _CREDENTIAL.sub(r"\1***/***", record.getMessage())
    record.args = ()
    return True


for _logger in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_logger).addFilter(hide_credential)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer as it came."""

    status: int
    body: bytes | bytearray
    location: str = ""


class Connection:
    """A session whose idle connections are not trusted after a while."""

    def __init__(self) -> None:
        self.session = requests.Session()
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=THREADS, max_retries=0)
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)
        self.session.headers.update(
            {
                "User-Agent": "bitrix24-relay/0.1",
                "Accept": "application/json",
                "Content-Type": "application/json",
            }
        )
        # PHP runs the requests of one session cookie one after the other.
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._lock = threading.Lock()
        self._used_at = time.time()  # not monotonic: that stands still while a function is frozen

    def post(self, method: str, url: str, body: bytes, seconds: float = READ_SECONDS) -> Reply:
        """Send one request and read its answer within about `seconds`.

        Raises TransientError where nothing was sent, OperatorError for a bad certificate,
        MayHaveRunError where the answer was lost; none of them knows the URL.
        """
        self._refresh()
        try:
            return self._post(method, url, body, seconds)
        except (requests.RequestException, HTTPError, OSError) as trouble:
            error = _translate(method, trouble)
        finally:
            self._used_at = time.time()
        # Outside of `except`, so that the error has no context: requests' own knows the URL.
        raise error

    def _refresh(self) -> None:
        with self._lock:
            if time.time() - self._used_at > IDLE_SECONDS:
                self.session.close()
            self._used_at = time.time()

    def _post(self, method: str, url: str, body: bytes, seconds: float) -> Reply:
        ends_at = time.monotonic() + seconds
        answered = bytearray()
        with self.session.post(
            url,
            data=body,
            timeout=(min(CONNECT_SECONDS, seconds), seconds),
            allow_redirects=False,
            stream=True,
        ) as answer:
            # Not iter_content: it waits until a part is full, however slowly it drips.
            while part := answer.raw.read1(PART_BYTES, decode_content=True):
                answered += part
                if len(answered) > MAX_ANSWER_BYTES:
                    limit = f"over {MAX_ANSWER_BYTES} bytes; select fewer fields"
                    raise MayHaveRunError(method, ANSWER_TOO_LARGE, limit)
                if time.monotonic() > ends_at:
                    raise MayHaveRunError(method, TIMEOUT, "its body did not end in time")
            location = answer.headers.get("Location", "")
            return Reply(answer.status_code, answered, location)


def _translate(method: str, trouble: Exception) -> CallError:
    if "CERTIFICATE_VERIFY_FAILED" in str(trouble):
        return OperatorError(method, "BAD_CERTIFICATE", "the portal's certificate is not valid")
    reason = getattr(trouble.args[0] if trouble.args else None, "reason", None)
    if isinstance(reason, NewConnectionError | ConnectTimeoutError) or isinstance(
        trouble, requests.exceptions.ProxyError | requests.exceptions.SSLError
    ):
        return TransientError(method, NOT_CONNECTED, type(reason or trouble).__name__)
    slow = isinstance(trouble, requests.Timeout | ReadTimeoutError)
    return MayHaveRunError(method, TIMEOUT if slow else NO_ANSWER, type(trouble).__name__)


connection = Connection()
