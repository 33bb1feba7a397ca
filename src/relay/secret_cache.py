"""A cache of one branch of secrets: one thread at a time reads SSM; a failed read is remembered.

SSM answers 40 reads a second for a whole account. If many threads find the cache stale, one reads;
the others get the older values, or wait if there are none. A failed read is repeated after 5 to
10 s, later after up to 40 s (jittered, so that functions throttled together do not retry together).
"""

import random
import threading
import time
from collections.abc import Callable, Mapping

from botocore.exceptions import BotoCoreError, ClientError

KEEP_SECONDS = 300
RETRY_SECONDS = 5
MAX_GROWTH = 4  # of RETRY_SECONDS, after several failures in a row


class SecretCache[V]:
    """The values that `read` returns, {name: value}. Thread-safe.

    `error` is that of the last read, None if it worked; `failures` counts failed reads in a row.
    """

    def __init__(
        self, read: Callable[[], Mapping[str, V]], now: Callable[[], float] | None = None
    ) -> None:
        self._read, self._now = read, now or time.monotonic
        self._reading = threading.Lock()
        self._values: Mapping[str, V] | None = None
        self._read_at = self._retry_at = float("-inf")
        self.failures = 0
        self.error: BotoCoreError | ClientError | None = None

    def values(self, max_age: float = KEEP_SECONDS) -> Mapping[str, V]:
        """Return {name: value}, read at most `max_age` seconds ago, or earlier if SSM fails.

        Raises botocore's errors if no read has worked yet.
        """
        if self._is_due(max_age) and self._reading.acquire(blocking=self._values is None):
            try:
                if self._is_due(max_age):  # another thread may have read while this one waited
                    self._read_now()
            finally:
                self._reading.release()
        if self._values is None:
            assert self.error is not None  # noqa: S101  a read worked or failed
            raise self.error.with_traceback(None)
        return self._values

    def _is_due(self, max_age: float) -> bool:
        now = self._now()
        return now >= self._retry_at if self.error else now - self._read_at >= max_age

    def _read_now(self) -> None:
        try:
            values = self._read()
        except (BotoCoreError, ClientError) as error:
            seconds = RETRY_SECONDS * min(2**self.failures, MAX_GROWTH)
            self.failures += 1
            self._retry_at = self._now() + seconds * random.uniform(1, 2)
            self.error = error
        else:
            self._values, self._read_at, self.failures = values, self._now(), 0
            self.error = None
