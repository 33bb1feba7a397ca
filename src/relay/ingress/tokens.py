"""The application tokens, read from SSM seldom and kept while SSM is down.

A token counts 5 s after it was stored, in every environment: an unknown token causes a read where
the last one is older. 200 environments under a flood of forged requests read 33 times a second,
for the gateway lets 200 requests a second through; where SSM throttles, each reads more seldom.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.secret_cache import KEEP_SECONDS, SecretCache

LOOK_SECONDS = 5  # between two reads for unknown tokens, or while no token is stored
MOST_DOUBTED = 10  # unknown tokens that are spilled between two reads that fail

type Tokens = Mapping[str, Sequence[str]]


def read_tokens() -> Mapping[str, str]:
    """Return every portal's tokens, one a line; raises botocore's errors."""
    return settings.secrets("application-tokens")


class TokenCache:
    """The tokens of one environment; `read` is asked at most as often as the constants say."""

    def __init__(
        self,
        read: Callable[[], Mapping[str, str]] = read_tokens,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = SecretCache(read, now)
        self._texts: Mapping[str, str] = {}
        self._tokens: Tokens = {}
        self._doubted, self._doubted_at = 0, 0  # and after which failure in a row

    @property
    def failed(self) -> BotoCoreError | ClientError | None:
        """The last read's error, None where it worked."""
        return self._cache.failed

    def tokens(self) -> Tokens:
        """Return the tokens; empty where there are none or none could ever be read."""
        return self._read(KEEP_SECONDS if any(self._tokens.values()) else LOOK_SECONDS)

    def look_again(self) -> bool:
        """Read anew because of an unknown token; says whether there is anything new to compare."""
        before = self._tokens
        return self._read(LOOK_SECONDS) != before

    def doubt(self) -> bool:
        """Say whether an unknown token may be one that was stored since a read has worked.

        Only a few are worth a doubt until the next read: most are forged in a flood.
        """
        if self._doubted_at != self._cache.failures:
            self._doubted, self._doubted_at = 0, self._cache.failures
        self._doubted += 1
        return self.failed is not None and self._doubted <= MOST_DOUBTED

    def _read(self, max_age: float) -> Tokens:
        try:
            texts = self._cache.values(max_age)
        except (BotoCoreError, ClientError):
            return self._tokens
        if texts is not self._texts:
            self._texts = texts
            self._tokens = {
                portal: [token for line in text.splitlines() if (token := line.strip())]
                for portal, text in texts.items()
            }
        return self._tokens
