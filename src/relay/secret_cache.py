"""One branch of secrets in memory: one thread reads SSM, seldom; a failed read is remembered.

SSM answers 40 reads a second for a whole account. Many threads that find the cache stale cause one
read: the others go on with the older values, or wait where there are none. A failed read is not
repeated for 5 to 10 s, later for up to 40 s (jittered, so that a throttled crowd spreads).
"""

import random
import threading
import time
from collections.abc import Callable, Mapping

from botocore.exceptions import BotoCoreError, ClientError

KEEP_SECONDS = 300
RETRY_SECONDS = 5
MOST_GROWTH = 4  # of the time between two failed reads


class SecretCache:
    """The values that `read` returns, by name. Safe to be used by threads.

    `failed` is the last read's error, None where it worked; `failures` counts those in a row.
    """

    def __init__(
        self, read: Callable[[], Mapping[str, str]], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._now = read, now
        self._reading = threading.Lock()
        self._values: Mapping[str, str] | None = None
        self._read_at = self._retry_at = float("-inf")
        self.failures = 0
        self.failed: BotoCoreError | ClientError | None = None

    def values(self, max_age: float = KEEP_SECONDS) -> Mapping[str, str]:
        """Return values of at most `max_age` seconds, older ones while SSM does not answer.

        Raises botocore's errors where no read has worked yet.
        """
        if self._is_due(max_age) and self._reading.acquire(blocking=self._values is None):
            try:
                if self._is_due(max_age):  # another thread may have read while this one waited
                    self._look()
            finally:
                self._reading.release()
        if self._values is None:
            assert self.failed is not None  # noqa: S101  a read worked or failed
            raise self.failed.with_traceback(None)
        return self._values

    def _is_due(self, max_age: float) -> bool:
        now = self._now()
        return now >= self._retry_at if self.failed else now - self._read_at >= max_age

    def _look(self) -> None:
        try:
            values = self._read()
        except (BotoCoreError, ClientError) as error:
            seconds = RETRY_SECONDS * min(2**self.failures, MOST_GROWTH)
            self.failures += 1
            self._retry_at = self._now() + seconds * random.uniform(1, 2)
            self.failed = error
        else:
            self._values, self._read_at, self.failures = values, self._now(), 0
            self.failed = None
